/* What glibc's headers declare only for _GNU_SOURCE, which Swift's Glibc module is built without. */
#include <signal.h>
#include <spawn.h>

#define SLUICE_SPAWN_SETSID 0x80

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
int pipe2(int[2], int);
int pidfd_open(pid_t, unsigned int);
int pidfd_send_signal(int, int, siginfo_t *, unsigned int);
int memfd_create(const char *, unsigned int);
