/*
 * The folders of commands in the tiers without a tmpfs of their own: measured while a command runs,
 * removed after it, whatever it made of them. Links are never followed.
 */
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Empties a folder. What lies too deep for our descriptors is moved up, for the next pass. */
static bool empty(int fd, int top_fd, unsigned depth, unsigned *moved) {
  fchmod(fd, 0700); /* a command can take the permissions away from its own folders */
  DIR *dir = fdopendir(fd);
  if (!dir) return close(fd), false;
  for (struct dirent *entry; (entry = readdir(dir));) {
    const char *name = entry->d_name;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    if (unlinkat(fd, name, 0) == 0) continue;
    if (depth == 64) {
      char to[32];
      snprintf(to, sizeof to, ".errand-%u", (*moved)++);
      renameat(fd, name, top_fd, to);
      continue;
    }
    int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0 && errno == EACCES && fchmodat(fd, name, 0700, 0) == 0)
      sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub >= 0) empty(sub, top_fd < 0 ? fd : top_fd, depth + 1, moved);
    unlinkat(fd, name, AT_REMOVEDIR);
  }
  closedir(dir);
  return true;
}

bool remove_tree(const char *path) {
  unsigned moved = 0;
  for (unsigned before = 1; before != moved || moved == 0;) {
    before = moved;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && chmod(path, 0700) == 0)
      fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    if (!empty(fd, -1, 0, &moved)) return false;
    if (rmdir(path) == 0) return true;
    if (moved == 0) return false;
  }
  return false;
}

uint64_t disk_usage(int dir_fd, const char *name, unsigned depth) {
  uint64_t bytes = 0;
  int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir(fd);
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    struct stat info;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW)) continue;
    bytes += (uint64_t)info.st_blocks * 512 + 256;
    if (S_ISDIR(info.st_mode) && depth < 32) bytes += disk_usage(fd, entry->d_name, depth + 1);
  }
  if (dir) closedir(dir);
  return bytes;
}
