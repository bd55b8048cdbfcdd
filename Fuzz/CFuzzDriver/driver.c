// The start of the fuzz executable. SwiftPM links an executable with `main` defined as `<module>_main`, which hides
// the `main` that libFuzzer brings; so this is `fuzz_main`, and it runs libFuzzer.

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int fuzz_main(int argc, char **argv) { return LLVMFuzzerRunDriver(&argc, &argv, LLVMFuzzerTestOneInput); }
