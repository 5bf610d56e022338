#include "command.h"
const struct option_help capture_options[] = { { 0 } };
int cmd_capture(int argc, char **argv) { (void)argc; (void)argv; return 1; }
