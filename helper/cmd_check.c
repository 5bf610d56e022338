#include "command.h"
const struct option_help check_options[] = { { 0 } };
int cmd_check(int argc, char **argv) { (void)argc; (void)argv; return 1; }
