/*
 * errand's sandbox launcher.
 *
 *   launcher serve --socket PATH [options]   serves commands until its stdin closes
 *   launcher run --connection FD [options]   serves the one command that comes on FD
 *   launcher probe                           tells what this host offers, as JSON
 *
 * The protocol is the same in the first two; native/README.md describes it.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; } /* it wants ptrace */
#endif

const char *const tier_names[] = {"namespaces", "landlock", "runner", "none"};
const char *const memory_names[] = {"watch", "cgroup1", "cgroup2"};

_Noreturn void fail_with(const char *step, int error) {
  dprintf(2, "launcher: %s: %s\n", step, strerror(error));
  remove_cgroups(0);
  _exit(1);
}
_Noreturn void fail(const char *step) { fail_with(step, errno); }

static _Noreturn void usage(const char *what) {
  dprintf(2,
          "launcher: %s\n"
          "usage: launcher serve --socket PATH | run --connection FD | probe\n"
          "  --tier namespaces|landlock|runner|none  (default namespaces)\n"
          "  --pool N         sandboxes kept prepared (4)\n"
          "  --max N          sandboxes alive at once (64)\n"
          "  --uid N          as root: first uid for commands (60600)\n"
          "  --disk BYTES     usual size of the writable space (67108864)\n"
          "  --scratch DIR    where commands' folders go, below the namespaces tier\n"
          "  --read-only PATH shown to commands besides /usr; may be repeated\n"
          "  --memory HOW     auto (a cgroup where one can be made) or watch\n"
          "  --hide PATH      not shown although it is below one of those; may be repeated\n",
          what);
  _exit(2);
}

static uint64_t number(const char *text, uint64_t least, uint64_t most) {
  char *end;
  errno = 0;
  unsigned long long value = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
  if (!text || *text < '0' || *text > '9' || errno || *end || value < least || value > most)
    usage("not a number in range");
  return value;
}

static enum tier tier_named(const char *name) {
  for (unsigned i = 0; name && i <= TIER_NONE; i++)
    if (!strcmp(name, tier_names[i])) return (enum tier)i;
  usage("no such tier");
}

static char socket_file[sizeof((struct sockaddr_un *)0)->sun_path], socket_folder[sizeof socket_file];
static const char *scratch_folder;

/* Our client may have been killed: who else would remove these? They are empty by now. */
void remove_places(void) {
  if (*socket_file) unlink(socket_file), rmdir(socket_folder);
  if (scratch_folder) rmdir(scratch_folder);
  remove_cgroups(2000);
}

/* Only our own user can reach the socket: the folder keeps others out, and must. */
static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct stat info;
  char folder[sizeof address.sun_path];
  if (strlen(path) >= sizeof address.sun_path) usage("--socket is too long");
  strcpy(address.sun_path, path);
  strcpy(folder, path);
  char *slash = strrchr(folder, '/');
  if (!slash || slash == folder) usage("--socket must be in a folder of its own");
  *slash = 0;
  if (lstat(folder, &info)) fail(folder);
  if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || info.st_mode & 077)
    usage("the folder of --socket must belong to this user, with mode 700");
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  umask(077);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096))
    fail(path);
  umask(022);
  strcpy(socket_file, path);
  strcpy(socket_folder, folder);
  return fd;
}

/* A descriptor that tells of a child's end, and of whoever asks us to stop. */
int await_signals(void) {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGINT);
  sigaddset(&awaited, SIGPIPE); /* who reads what we say is gone: as good as being told to stop */
  sigprocmask(SIG_SETMASK, &awaited, NULL);
  int signals = signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) fail("signalfd");
  return signals;
}

/* Ends with the stage, and ends it when our stdin closes or we are told to stop. */
static _Noreturn void guard(pid_t stage, bool watch_stdin) {
  int signals = await_signals(), status;
  for (bool killed = false;;) {
    if (waitpid(stage, &status, WNOHANG) == stage) {
      if (seteuid(getuid())) fail("change user");
      remove_places();
      _exit(killed ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    struct pollfd fds[2] = {{signals, POLLIN, 0}, {watch_stdin ? 0 : -1, POLLIN, 0}};
    poll(fds, 2, -1);
    struct signalfd_siginfo info = {0};
    bool stop = false;
    char byte;
    if (fds[0].revents && read(signals, &info, sizeof info) > 0) stop = info.ssi_signo != SIGCHLD;
    if (fds[1].revents && read(0, &byte, 1) <= 0) stop = true;
    if (!stop) continue;
    /* The stage is process 1 of its namespace: when it is reaped, nothing in it is left. */
    kill(stage, SIGKILL);
    killed = true;
    watch_stdin = false;
  }
}

/*
 * The stage: a user namespace with all others below it, in which the pool lives. Its process 1
 * has every capability there and none outside, so sandboxes can be made without root. Who guards it
 * can become root again, to remove what root made; the stage itself has no way back.
 */
static _Noreturn void enter_stage(struct config *config) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (uid == 0) {
    uid = gid = config->uid;
    if (*socket_file && (chown(socket_folder, uid, gid) || chown(socket_file, uid, gid)))
      fail(socket_folder);
    if (scratch_folder && chown(scratch_folder, uid, gid)) fail(scratch_folder);
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(0, uid, 0)) fail("drop root");
  }
  int alive[2];
  if (pipe2(alive, O_CLOEXEC)) fail("pipe");
  pid_t stage = (pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                               CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET, 0, 0, 0, 0);
  if (stage < 0) fail("create user namespace");
  if (stage > 0) {
    close(alive[0]);
    guard(stage, config->conn_fd < 0);
  }
  close(alive[1]);
  map_ids("0", uid, gid);
  if (setresuid(0, 0, 0)) fail("drop root"); /* all of them: `uid`, outside of this namespace */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) fail("set death signal");
  struct pollfd parent = {.fd = alive[0], .events = 0};
  if (poll(&parent, 1, 0) != 0) _exit(0);
  close(alive[0]);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail("no_new_privs");
  build_root(config);
  config->guarded = true;
  run_pool(config);
}

_Noreturn void begin(struct config *config) {
  if (config->tier == TIER_LANDLOCK && config->landlock_abi < 6)
    fail_with("Landlock ABI 6 is needed (Linux 6.12)", ENOSYS);
  open_cgroups(config);
  if (config->tier == TIER_NAMESPACES) enter_stage(config);
  run_pool(config);
}

/* A command sees its supervisor's command line in /proc: it must not tell about the host. */
static void forget_arguments(int argc, char **argv) {
  static const char name[] = "launcher";
  char *last = argv[argc - 1];
  for (char *byte = argv[0], *end = last + strlen(last); byte < end; byte++) *byte = 0;
  if (strlen(argv[0]) == 0 && last > argv[0] + sizeof name) memcpy(argv[0], name, sizeof name);
  if (environ)
    for (char **entry = environ; *entry; entry++) memset(*entry, 0, strlen(*entry));
  environ = NULL;
}

int main(int argc, char **argv) {
  struct config config = {.pool = 4, .max = 64, .listen_fd = -1, .conn_fd = -1, .uid = 60600,
                          .disk_bytes = 64u << 20};
  const char *mode = argc > 1 ? argv[1] : "", *socket_path = NULL;
  config.landlock_abi = landlock_abi();
  if (!strcmp(mode, "probe")) return probe(&config);
  bool serve = !strcmp(mode, "serve");
  if (!serve && strcmp(mode, "run")) usage("serve, run or probe?");
  for (int i = 2; i < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1] ? strdup(argv[i + 1]) : NULL;
    if (!value) usage("an option needs a value");
    if (!strcmp(name, "--socket")) socket_path = value;
    else if (!strcmp(name, "--connection")) config.conn_fd = (int)number(value, 0, 1023);
    else if (!strcmp(name, "--tier")) config.tier = tier_named(value);
    else if (!strcmp(name, "--pool")) config.pool = (unsigned)number(value, 1, MAX_SLOTS);
    else if (!strcmp(name, "--max")) config.max = (unsigned)number(value, 1, MAX_SLOTS);
    else if (!strcmp(name, "--uid")) config.uid = (uid_t)number(value, 1, 1u << 30);
    else if (!strcmp(name, "--disk")) config.disk_bytes = number(value, 4096, 1ull << 40);
    else if (!strcmp(name, "--scratch")) config.scratch = value;
    else if (!strcmp(name, "--memory") && (!strcmp(value, "auto") || !strcmp(value, "watch")))
      config.watch_only = *value == 'w';
    else if (!strcmp(name, "--read-only") && config.read_only_count < MAX_EXTRA_PATHS && *value == '/')
      config.read_only[config.read_only_count++] = value;
    else if (!strcmp(name, "--hide") && config.hidden_count < MAX_EXTRA_PATHS && *value == '/')
      config.hidden[config.hidden_count++] = value;
    else usage(name);
  }
  if (serve ? !socket_path || config.conn_fd >= 0 : socket_path || config.conn_fd < 0)
    usage("serve needs --socket, run needs --connection");
  if (!serve) config.pool = config.max = 1;
  if (config.max < config.pool) config.max = config.pool;
  if (config.tier != TIER_NAMESPACES && (!config.scratch || *config.scratch != '/'))
    usage("this tier needs --scratch");
  config.own_uid = geteuid() == 0 && config.tier != TIER_NONE;
  if (config.scratch && chmod(config.scratch, 0711)) fail(config.scratch);
  scratch_folder = config.scratch;
  /* Nothing of ours is to be found in /proc, by whatever runs as the same user. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)) fail("clear dumpable");
  forget_arguments(argc, argv);
  umask(022);
  if (serve) config.listen_fd = listen_at(socket_path);
  begin(&config);
}
