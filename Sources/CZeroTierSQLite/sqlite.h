/* The C library SQLite of this machine: Debian's libsqlite3-dev. Which file is linked, the products decide. */
#include <sqlite3.h>
