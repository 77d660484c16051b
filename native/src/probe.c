/* What this host offers, by trying it: `true` in each tier, and the words in which it failed. */
#include "launcher.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct request_head request = {
    .magic = REQUEST_MAGIC, .strings_bytes = 10, .wall_ms = 5000, .grace_ms = 100, .cpu_ms = 5000,
    .memory_bytes = 256 << 20, .processes = 16, .file_bytes = 1 << 20, .disk_bytes = 1 << 20,
    .open_files = 64, .stdout_bytes = 4096, .stderr_bytes = 4096, .argc = 1,
};

/* Text for a JSON string; what would need an escape is left out. */
static void print_text(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text >= ' ' && *text != '"' && *text != '\\') putchar(*text);
}

static void try_tier(const struct config *host, enum tier tier, const char *name) {
  char answer[2048] = "", why[1024] = "", scratch[] = "/tmp/errand-probe-XXXXXX";
  int connection[2], complaints[2];
  if (!mkdtemp(scratch) || socketpair(AF_UNIX, SOCK_STREAM, 0, connection) || pipe(complaints))
    fail("probe");
  pid_t pid = fork();
  if (pid == 0) {
    struct config config = *host;
    config.tier = tier;
    config.pool = config.max = 1;
    config.conn_fd = connection[1];
    config.own_uid = geteuid() == 0;
    config.scratch = scratch;
    chmod(scratch, 0711);
    dup2(complaints[1], 2);
    close(connection[0]);
    close(complaints[0]);
    close(complaints[1]);
    begin(&config);
  }
  close(connection[1]);
  close(complaints[1]);
  size_t length = 0;
  signal(SIGPIPE, SIG_IGN);
  if (write(connection[0], &request, sizeof request) > 0 && write(connection[0], "/bin/true", 10) > 0)
    for (ssize_t got; length < sizeof answer - 1; length += (size_t)got)
      if ((got = read(connection[0], answer + length, sizeof answer - 1 - length)) <= 0) break;
  bool works = length > 8 && strstr(answer + 8, "\"exitCode\":0");
  ssize_t said = works ? 0 : read(complaints[0], why, sizeof why - 1);
  close(connection[0]);
  close(complaints[0]);
  waitpid(pid, NULL, 0);
  remove_tree(scratch);
  printf("\"%s\":{\"works\":%s,\"why\":\"", name, works ? "true" : "false");
  if (!works) print_text(said > 0 ? why : length > 8 ? answer + 8 : "no answer");
  printf("\"},");
  fflush(stdout);
}

int probe(const struct config *config) {
  struct utsname host;
  if (uname(&host)) fail("uname");
  printf("{");
  fflush(stdout);
  try_tier(config, TIER_NAMESPACES, "namespaces");
  try_tier(config, TIER_LANDLOCK, "landlock");
  try_tier(config, TIER_RUNNER, "runner");
  printf("\"kernel\":\"");
  print_text(host.release);
  printf("\",\"machine\":\"%s\",\"landlockAbi\":%d,\"root\":%s}\n", host.machine,
         config->landlock_abi, geteuid() == 0 ? "true" : "false");
  return 0;
}
