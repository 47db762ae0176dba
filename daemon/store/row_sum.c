#include "daemon/store/row_sum.h"

#include "common/crc32c.h"

#include <string.h>

uint32_t sum_number(uint32_t sum, int64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)value >> (8 * i));
    return crc32c(sum, bytes, sizeof(bytes));
}

uint32_t sum_numbers(uint32_t sum, const int64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum = sum_number(sum, numbers[i]);
    return sum;
}

uint32_t sum_text(uint32_t sum, const char *text)
{
    if (text == NULL)
        return sum_number(sum, -1);
    size_t bytes = strlen(text);
    return crc32c(sum_number(sum, (int64_t)bytes), text, bytes);
}
