#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
/* The library asserts that a key begins as one may, although what comes behind refuses it with its
 * place (3.3): "[.x]" in a configuration is no reason to abort. */
#define TOML_ASSERT(expr) static_assert(true)
#include "common/toml.h"

#include <toml++/toml.h>

extern "C" {
#include "common/alloc.h"
}

#include <cstdio>
#include <new>
#include <string>
#include <string_view>

namespace
{

struct walk {
    toml_value_fn each;
    void *arg;
};

int report(const walk &walk, const std::string &key, const toml::source_position &at,
           const toml::node &node)
{
    toml_value value{};
    std::string text;
    value.key = key.c_str();
    value.line = static_cast<unsigned>(node.source().begin.line);
    value.column = static_cast<unsigned>(node.source().begin.column);
    value.key_line = static_cast<unsigned>(at.line);
    value.key_column = static_cast<unsigned>(at.column);
    value.kind = TOML_OTHER;
    if (node.is_table()) {
        value.kind = TOML_TABLE;
    } else if (auto string = node.as_string()) {
        text = string->get();
        value.kind = text.find('\0') == std::string::npos ? TOML_STRING : TOML_OTHER;
        value.string = text.c_str();
    } else if (auto integer = node.as_integer()) {
        value.kind = TOML_INTEGER;
        value.integer = integer->get();
    } else if (auto real = node.as_floating_point()) {
        value.kind = TOML_REAL;
        value.real = real->get();
    } else if (auto boolean = node.as_boolean()) {
        value.kind = TOML_BOOLEAN;
        value.boolean = boolean->get();
    }
    return walk.each(walk.arg, &value);
}

int walk_table(const walk &walk, const std::string &prefix, const toml::table &table)
{
    for (auto &&[name, node] : table) {
        std::string key =
            prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
        int result = report(walk, key, name.source().begin, node);
        if (result == 0 && node.is_table())
            result = walk_table(walk, key, *node.as_table());
        if (result != 0)
            return result;
    }
    return 0;
}

} // namespace

extern "C" int toml_each(const char *text, size_t bytes, toml_value_fn each, void *arg,
                         struct toml_error *ret_error)
{
    std::set_new_handler(out_of_memory);
    toml::parse_result result = toml::parse(std::string_view(text, bytes));
    if (!result) {
        std::string description(result.error().description());
        std::snprintf(ret_error->text, sizeof(ret_error->text), "%s", description.c_str());
        ret_error->line = static_cast<unsigned>(result.error().source().begin.line);
        ret_error->column = static_cast<unsigned>(result.error().source().begin.column);
        return -1;
    }
    return walk_table(walk{each, arg}, "", result.table());
}
