/* What glibc's spawn.h declares only for _GNU_SOURCE, which Swift's Glibc module is built without. */
#include <spawn.h>

#define SLUICE_SPAWN_SETSID 0x80

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
int pipe2(int[2], int);
