// One node of this library, driven by lines on standard input: the counterpart of Host/libzt_host.c, with the same lines.
//
// Input:  TAG COMMAND key=value ...
// Output: TAG ok key=value ...      or      TAG error what=... [code=...]
//
// Every command is a task of its own and answers once, so several may be under way. ../README.md describes the commands.
// Events of the node go to standard error.

import Glibc

let host = Host()
while let line = readLine() {
    guard let command = Command(line) else { continue }
    Task.detached { await host.run(command) }
}
exit(0)
