#include "daemon/core/cpu_layout.h"

#include <string.h>

/* ---- cores ---- */

/* Of each core, by its name: its usable processors, and those of them that are free. */
struct cores {
    uint16_t size[CPU_LIST_MAX], idle[CPU_LIST_MAX];
};

static void count_cores(const struct cpu_layout *layout, const struct cpu_list *idle,
                        struct cores *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        ret->size[layout->core[i]] += cpu_list_has(&layout->usable, i);
        ret->idle[layout->core[i]] += cpu_list_has(idle, i);
    }
}

static bool is_whole(const struct cores *cores, unsigned core)
{
    return cores->idle[core] == cores->size[core];
}

/* What is being chosen. */
struct choice {
    const struct cpu_layout *layout;
    struct cpu_list idle; /* what can still be given */
    uint32_t missing;
    struct cpu_list *ret;
};

static void give(struct choice *choice, unsigned number)
{
    cpu_list_add(choice->ret, number);
    choice->idle.bits[number / 64] &= ~(UINT64_C(1) << number % 64);
    choice->missing--;
}

enum fill { FILL_WHOLE_CORES, FILL_IDLE_CORES, FILL_ANY, FILL_COUNT };

/* Whether a processor of this core is one to give in this pass. A whole core is given by its first
 * processor's turn, all of it: so none is counted twice. */
static bool suits(const struct choice *choice, const struct cores *cores, unsigned core,
                  enum fill pass)
{
    if (pass == FILL_WHOLE_CORES)
        return is_whole(cores, core) && cores->size[core] <= choice->missing;
    return pass == FILL_ANY || is_whole(cores, core);
}

static void give_core(struct choice *choice, unsigned core)
{
    for (unsigned i = core; i < CPU_LIST_MAX && choice->missing > 0; i++) {
        if (choice->layout->core[i] == core && cpu_list_has(&choice->idle, i))
            give(choice, i);
    }
}

/* Of those in `among`, whole cores first. */
static void fill(struct choice *choice, const struct cpu_list *among)
{
    struct cores cores;
    count_cores(choice->layout, &choice->idle, &cores);
    for (int pass = 0; pass < FILL_COUNT; pass++) {
        for (unsigned i = 0; i < CPU_LIST_MAX && choice->missing > 0; i++) {
            const unsigned core = choice->layout->core[i];
            if (!cpu_list_has(&choice->idle, i) || !cpu_list_has(among, i) ||
                !suits(choice, &cores, core, (enum fill)pass))
                continue;
            if (pass == FILL_WHOLE_CORES)
                give_core(choice, core);
            else
                give(choice, i);
        }
    }
}

/* ---- nodes ---- */

struct node {
    uint32_t idle;
    uint32_t apart; /* of them, on cores of which nobody has any */
};

/* 2: it has enough, on cores of its own; 1: it has enough. */
static int rank(const struct node *node, uint32_t missing)
{
    return (node->idle >= missing) + (node->apart >= missing);
}

/* Of those with enough the fullest, else the emptiest. */
static bool is_better(const struct node *node, const struct node *best, uint32_t missing)
{
    const int ranks = rank(node, missing) - rank(best, missing);
    if (ranks != 0)
        return ranks > 0;
    return node->idle >= missing ? node->idle < best->idle : node->idle > best->idle;
}

/* Of those in `among`. */
static unsigned best_node(const struct choice *choice, const struct cpu_list *among)
{
    struct node nodes[CPU_LIST_MAX] = {{0}};
    struct cores cores;
    unsigned best = 0;
    count_cores(choice->layout, &choice->idle, &cores);
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        struct node *node = &nodes[choice->layout->node[i]];
        const bool idle = cpu_list_has(among, i);
        node->idle += idle;
        node->apart += idle && is_whole(&cores, choice->layout->core[i]);
    }
    for (unsigned i = 1; i < CPU_LIST_MAX; i++) {
        if (is_better(&nodes[i], &nodes[best], choice->missing))
            best = i;
    }
    return best;
}

static void keep_node(const struct cpu_layout *layout, unsigned node, struct cpu_list *list)
{
    struct cpu_list mine = {.bits = {0}};
    for (unsigned i = 0; i < CPU_LIST_MAX; i++) {
        if (layout->node[i] == node)
            cpu_list_add(&mine, i);
    }
    cpu_list_keep(list, &mine);
}

/* Of those in `wanted`, node by node. */
static void fill_nodes(struct choice *choice, const struct cpu_list *wanted)
{
    while (choice->missing > 0) {
        struct cpu_list among = choice->idle;
        cpu_list_keep(&among, wanted);
        if (cpu_list_is_empty(&among))
            return;
        keep_node(choice->layout, best_node(choice, &among), &among);
        fill(choice, &among);
    }
}

void cpu_layout_choose(const struct cpu_layout *layout, const struct cpu_list *taken,
                       const struct cpu_list *near, uint32_t count, struct cpu_list *ret)
{
    struct choice choice = {.layout = layout, .idle = layout->usable, .missing = count, .ret = ret};
    *ret = (struct cpu_list){.bits = {0}};
    cpu_list_leave(&choice.idle, taken);
    fill_nodes(&choice, near);
    fill_nodes(&choice, &layout->usable);
}
