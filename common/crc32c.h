/* CRC-32C (Castagnoli; RFC 3720 appendix B.4 has test vectors), the checksum of records and rows.
 */
#ifndef BATCHD_COMMON_CRC32C_H
#define BATCHD_COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of `data` behind data whose checksum is `seed` (0 to begin): the instruction of
 * SSE 4.2 where the processor has it, else crc32c_table. */
uint32_t crc32c(uint32_t seed, const void *data, size_t bytes);

/* The same by a table, on any machine. Public for the unit test, which compares the two. */
uint32_t crc32c_table(uint32_t seed, const void *data, size_t bytes);

#endif
