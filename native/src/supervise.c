/*
 * One command, from its request to its report. The supervisor stands between the connection and
 * the command's pipes, keeps the limits that the kernel does not, and sees how it ends.
 */
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_STRINGS = 8 << 20, /* argv and environment; the kernel itself takes at most a few MB */
  CHUNK = 64 << 10,      /* a pipe's capacity */
  FRAME_HEAD = 8,
  OUTGOING = 4 * (CHUNK + FRAME_HEAD),
  /* Output waits this long for more, or for the report: one write, so the client wakes once. */
  COALESCE_US = 2000,
  WATCH_US = 10000,      /* between two looks at memory: a core fills about 10 MB meanwhile */
  DISK_US = 100000,
};

enum cause { EXITED, SIGNALLED, TIMED_OUT, CPU_EXCEEDED, OUT_OF_MEMORY, DISK_EXCEEDED, ABORTED,
             SANDBOX_ERROR };
static const char *const cause_names[] = {
    "exited", "signalled", "timed_out", "cpu_exceeded", "out_of_memory", "disk_exceeded",
    "aborted", "sandbox_error"};

struct stream {
  int fd; /* our end of the pipe; -1 when closed */
  char frame;
  uint64_t limit, kept, total;
};

/* All that one command needs; the process serves one and dies, so nothing is ever reset. */
static struct {
  struct sandbox *sandbox;
  struct request_head head;
  char *strings;
  char **argv, **env;
  int conn, signals, in;
  struct stream out, err;
  bool cancelled, client_gone;
  uint64_t stdin_left;             /* not yet read from the connection */
  char incoming[CHUNK];            /* stdin on its way */
  size_t in_start, in_end;
  char outgoing[OUTGOING];         /* frames on their way */
  size_t out_start, out_end;
  uint64_t flush_at;
  pid_t main;
  bool ended;
  int status;
  struct rusage usage;             /* of the main process and all that it waited for */
  enum cause killed_for;           /* EXITED: not killed by us */
  uint64_t started, ended_at, terminate_at, kill_at, watch_at, disk_at;
  uint64_t peak_bytes;
  struct child_status child;       /* written by it before exec */
} run;

static char discarded[CHUNK];

static uint64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* ---- the connection ---- */

/* Sends what is waiting; when told to, waits until all of it has been taken. */
static void flush(bool wait) {
  while (run.out_start < run.out_end && !run.client_gone) {
    ssize_t sent = send(run.conn, run.outgoing + run.out_start, run.out_end - run.out_start,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      run.out_start += (size_t)sent;
    } else if (errno == EAGAIN && wait) {
      struct pollfd ready = {.fd = run.conn, .events = POLLOUT};
      if (poll(&ready, 1, 30000) <= 0) run.client_gone = true;
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      run.client_gone = true;
    }
  }
  run.out_start = run.out_end = 0;
}

static size_t room(void) {
  size_t left = OUTGOING - run.out_end;
  return left > FRAME_HEAD ? left - FRAME_HEAD : 0;
}

static void put_frame_head(char *at, char type, size_t length) {
  uint32_t size = (uint32_t)length;
  memcpy(at, (char[4]){type, 0, 0, 0}, 4);
  memcpy(at + 4, &size, 4); /* both machines are little-endian */
}

static void report(const char *text, size_t length) {
  if (room() < length) flush(true);
  put_frame_head(run.outgoing + run.out_end, 'r', length);
  memcpy(run.outgoing + run.out_end + FRAME_HEAD, text, length);
  run.out_end += FRAME_HEAD + length;
  flush(true);
}

/* The command cannot run, through no fault of its own. */
static _Noreturn void sandbox_error(const char *step, int error) {
  char text[512];
  int length = snprintf(text, sizeof text, "{\"cause\":\"sandbox_error\",\"error\":\"%s: %s\"}",
                        step, strerror(error));
  report(text, (size_t)length);
  _exit(0);
}

static bool read_exactly(void *into, size_t length) {
  for (size_t done = 0; done < length;) {
    ssize_t got = recv(run.conn, (char *)into + done, length - done, 0);
    if (got <= 0) return false;
    done += (size_t)got;
  }
  return true;
}

static void read_request(void) {
  struct timeval patience = {.tv_sec = 10};
  setsockopt(run.conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct request_head *head = &run.head;
  if (!read_exactly(head, sizeof *head)) _exit(0); /* a client that only connected */
  if (head->magic != REQUEST_MAGIC || head->strings_bytes > MAX_STRINGS || head->argc < 1 ||
      head->argc > head->strings_bytes || head->envc > head->strings_bytes || !head->wall_ms)
    sandbox_error("request", EPROTO);
  uint64_t *limits[] = {&head->wall_ms, &head->grace_ms, &head->cpu_ms, &head->memory_bytes};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) /* room to multiply and add */
    if (*limits[i] > 1ull << 50) *limits[i] = 1ull << 50;
  size_t pointers = (size_t)head->argc + head->envc + 2;
  run.strings = malloc(head->strings_bytes + 1);
  run.argv = calloc(pointers, sizeof *run.argv);
  if (!run.strings || !run.argv) sandbox_error("request", ENOMEM);
  if (!read_exactly(run.strings, head->strings_bytes)) _exit(0);
  run.strings[head->strings_bytes] = 0;
  run.env = run.argv + head->argc + 1;
  char *next = run.strings, *end = run.strings + head->strings_bytes;
  for (uint32_t i = 0; i < head->argc + head->envc; i++) {
    if (next >= end) sandbox_error("request", EPROTO);
    (i < head->argc ? run.argv : run.env - head->argc)[i] = next;
    next += strlen(next) + 1;
  }
  run.stdin_left = head->stdin_bytes;
}

/* ---- the command ---- */

/* What a shell says, with a shell's exit code. */
static int cannot_run(const char *name, int error) {
  char why[64];
  bool missing = error == ENOENT || error == ENOTDIR;
  snprintf(why, sizeof why, "%s", missing ? "not found" : strerror(error));
  if (why[0] >= 'A' && why[0] <= 'Z') why[0] = (char)(why[0] + ('a' - 'A'));
  dprintf(2, "errand: %s: %s\n", name, why);
  return missing ? 127 : 126;
}

struct ends {
  int in, out, err; /* the command's ends of its pipes */
};

/*
 * Runs on a stack of its own in our memory, like vfork's child, while we wait: copying our page
 * tables for a process that is about to exec costs 0.05 ms.
 */
static int be_the_command(void *argument) {
  const struct ends *ends = argument;
  sigset_t none;
  sigemptyset(&none);
  run.child.step = "start";
  if (!cgroup_join(run.sandbox) || signal(SIGPIPE, SIG_DFL) == SIG_ERR || setsid() < 0 || dup2(ends->in, 0) < 0 ||
      dup2(ends->out, 1) < 0 || dup2(ends->err, 2) < 0 || syscall(SYS_close_range, 3, ~0u, 4 /* CLOEXEC */)) {
    run.child.error = errno;
    return 126;
  }
  confine_self(run.sandbox, &run.head, &run.child);
  sigprocmask(SIG_SETMASK, &none, NULL);
  environ = run.env;
  execvp(run.argv[0], run.argv);
  return cannot_run(run.argv[0], errno);
}

/* The request's own value of a variable, taken out of its list. */
static char *take_variable(const char *name) {
  size_t length = strcspn(name, "=") + 1;
  for (uint32_t i = 0; i < run.head.envc; i++) {
    char *entry = run.env[i];
    if (!entry || strncmp(entry, name, length)) continue;
    run.env[i] = NULL;
    return entry;
  }
  return NULL;
}

/* What nearly every program expects, unless the request says otherwise; then all the others. */
static void complete_environment(void) {
  static char home[300], pwd[300], tmp[300];
  static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  static char lang[] = "LANG=C.UTF-8";
  char *usual[] = {path, home, pwd, lang, tmp};
  size_t count = 0, usual_count = run.sandbox->config->tier == TIER_NAMESPACES ? 4 : 5;
  char **env = calloc(run.head.envc + 6, sizeof *env);
  if (!env) sandbox_error("environment", ENOMEM);
  snprintf(home, sizeof home, "HOME=%s", run.sandbox->work);
  snprintf(pwd, sizeof pwd, "PWD=%s", run.sandbox->work);
  snprintf(tmp, sizeof tmp, "TMPDIR=%s", run.sandbox->work);
  for (size_t i = 0; i < usual_count; i++) {
    char *own = take_variable(usual[i]);
    env[count++] = own ? own : usual[i];
  }
  for (uint32_t i = 0; i < run.head.envc; i++)
    if (run.env[i]) env[count++] = run.env[i];
  run.env = env;
}

static void start(void) {
  int in[2] = {-1, -1}, out[2], err[2];
  complete_environment();
  if (!resize_disk(run.sandbox, run.head.disk_bytes)) sandbox_error("disk size", errno);
  if (!cgroup_limit(run.sandbox, run.head.memory_bytes,
                    run.sandbox->disk_is_memory ? run.head.disk_bytes : 0))
    sandbox_error("memory limit", errno);
  if (run.head.stdin_bytes ? pipe2(in, O_CLOEXEC) : (in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
    sandbox_error("stdin", errno);
  if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) sandbox_error("pipe", errno);
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  /* Tells of the pool's death. Process 1 of a namespace is killed then, and must not have a
     handler for any signal that the command could send it. */
  if (run.sandbox->config->tier != TIER_NAMESPACES) sigaddset(&awaited, SIGTERM);
  sigprocmask(SIG_SETMASK, &awaited, NULL);
  run.signals = signalfd(-1, &awaited, SFD_CLOEXEC | SFD_NONBLOCK);
  signal(SIGPIPE, SIG_IGN);
  run.started = now_us();
  static char stack[64 << 10] __attribute__((aligned(16)));
  struct ends ends = {in[0], out[1], err[1]};
  run.main = clone(be_the_command, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &ends);
  if (run.main < 0 || run.signals < 0) sandbox_error("fork", errno);
  close(in[0]);
  close(out[1]);
  close(err[1]);
  run.in = in[1];
  run.out = (struct stream){.fd = out[0], .frame = 'o', .limit = run.head.stdout_bytes};
  run.err = (struct stream){.fd = err[0], .frame = 'e', .limit = run.head.stderr_bytes};
  fcntl(run.out.fd, F_SETFL, O_NONBLOCK);
  fcntl(run.err.fd, F_SETFL, O_NONBLOCK);
  if (run.in >= 0) fcntl(run.in, F_SETFL, O_NONBLOCK);
  run.terminate_at = run.started + run.head.wall_ms * 1000;
  run.kill_at = UINT64_MAX;
  run.watch_at = run.started + WATCH_US;
  run.disk_at = run.sandbox->config->tier == TIER_NAMESPACES ? UINT64_MAX : run.started + DISK_US;
}

/* ---- moving bytes ---- */

static void close_fd(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* One read of what the command wrote: kept up to the limit, counted beyond it. */
static bool take_output(struct stream *stream) {
  uint64_t wanted = stream->limit - stream->kept;
  char *into = run.outgoing + run.out_end + FRAME_HEAD;
  size_t length = room();
  if (wanted == 0) into = discarded, length = sizeof discarded;
  if (length == 0) return false; /* a read of nothing would look like the end */
  ssize_t got = read(stream->fd, into, length < CHUNK ? length : CHUNK);
  if (got < 0) return false;
  if (got == 0) {
    close_fd(&stream->fd);
    return false;
  }
  stream->total += (uint64_t)got;
  uint64_t kept = (uint64_t)got < wanted ? (uint64_t)got : wanted;
  if (kept == 0) return true;
  stream->kept += kept;
  put_frame_head(run.outgoing + run.out_end, stream->frame, kept);
  if (run.out_start == run.out_end) run.flush_at = now_us() + COALESCE_US;
  run.out_end += FRAME_HEAD + kept;
  return true;
}

static void feed_stdin(void) {
  if (run.in_start < run.in_end && run.in >= 0) {
    ssize_t wrote = write(run.in, run.incoming + run.in_start, run.in_end - run.in_start);
    if (wrote > 0) run.in_start += (size_t)wrote;
    if (wrote < 0 && errno != EAGAIN) close_fd(&run.in); /* it reads no more: drop the rest */
  }
  if (run.in < 0) run.in_start = run.in_end;
  if (run.in_start == run.in_end && run.stdin_left == 0) close_fd(&run.in);
}

static void read_stdin(void) {
  size_t length = run.stdin_left < CHUNK ? (size_t)run.stdin_left : CHUNK;
  ssize_t got = recv(run.conn, run.incoming, length, MSG_DONTWAIT);
  if (got <= 0) return; /* a hang-up is seen by poll */
  run.stdin_left -= (uint64_t)got;
  run.in_start = 0;
  run.in_end = (size_t)got;
  feed_stdin();
}

/* ---- limits that need a clock ---- */

static void kill_for(enum cause cause) {
  if (run.killed_for == EXITED) run.killed_for = cause;
  signal_tree(run.sandbox, SIGKILL);
}

/* Of what the command's cgroup is charged for: its disk space, where that is memory. */
static uint64_t files_in_memory(void) {
  struct statvfs disk;
  if (!run.sandbox->disk_is_memory) return 0;
  if (run.sandbox->config->tier > TIER_NAMESPACES) return run.head.disk_bytes; /* not all ours */
  if (statvfs(run.sandbox->work, &disk)) return 0;
  return (uint64_t)(disk.f_blocks - disk.f_bfree) * disk.f_frsize;
}

/*
 * Shared pages make the plain sum too large, so it only raises the question. The exact one is read
 * process by process, and a page whose users end meanwhile counts twice: three looks must agree.
 */
static uint64_t measure_memory(void) {
  if (run.sandbox->config->cgroup != CGROUP_NONE)
    return cgroup_memory(run.sandbox, run.head.memory_bytes, files_in_memory());
  struct tree_memory memory = tree_memory(run.sandbox, run.head.memory_bytes, false);
  if (memory.bytes <= run.head.memory_bytes && (memory.processes < 2 || memory.bytes <= run.peak_bytes))
    return memory.bytes;
  /* The exact look goes through all page tables: not where these alone are too many. */
  if (memory.certain > run.head.memory_bytes) return memory.certain;
  uint64_t fewest = UINT64_MAX;
  for (int look = 0; look < 3; look++) {
    fewest = least(fewest, tree_memory(run.sandbox, run.head.memory_bytes, true).bytes);
    if (fewest <= run.head.memory_bytes) break;
  }
  return fewest;
}

static void watch_memory(void) {
  uint64_t before = now_us(), bytes = measure_memory();
  if (bytes > run.peak_bytes) run.peak_bytes = bytes;
  if (bytes > run.head.memory_bytes || cgroup_has_killed(run.sandbox)) kill_for(OUT_OF_MEMORY);
  uint64_t after = now_us(), pause = (after - before) * 20; /* at most 5 % of a core */
  run.watch_at = after + (pause > WATCH_US ? pause : WATCH_US);
}

static void watch_disk(void) {
  uint64_t before = now_us();
  if (disk_usage(AT_FDCWD, run.sandbox->work, 0) > run.head.disk_bytes) kill_for(DISK_EXCEEDED);
  uint64_t after = now_us(), pause = (after - before) * 20;
  run.disk_at = after + (pause > DISK_US ? pause : DISK_US);
}

static void keep_time(uint64_t now) {
  if (now >= run.terminate_at) {
    run.killed_for = TIMED_OUT;
    run.terminate_at = UINT64_MAX;
    run.kill_at = now + run.head.grace_ms * 1000;
    signal_tree(run.sandbox, SIGTERM);
    signal_tree(run.sandbox, SIGCONT); /* a stopped process would not see it */
  }
  if (now >= run.kill_at) {
    run.kill_at = UINT64_MAX;
    kill_for(TIMED_OUT);
  }
  if (run.ended) return;
  if (now >= run.watch_at) watch_memory();
  if (now >= run.disk_at) watch_disk();
}

static void reap(void) {
  struct signalfd_siginfo info;
  while (read(run.signals, &info, sizeof info) > 0)
    if (info.ssi_signo == SIGTERM && (pid_t)info.ssi_pid == run.sandbox->pool_pid)
      run.cancelled = true;
  int status;
  struct rusage usage;
  for (pid_t pid; (pid = wait4(-1, &status, WNOHANG, &usage)) > 0;) {
    if (pid != run.main) continue;
    run.ended = true;
    run.status = status;
    run.usage = usage;
    run.ended_at = now_us();
  }
}

/* Until the main process has ended, or the client has gone away or asked to stop. */
static void serve_command(void) {
  enum { CONN, SIGNALS, OUT, ERR, IN, FDS };
  feed_stdin();
  while (!run.ended && !run.cancelled) {
    uint64_t now = now_us();
    keep_time(now);
    bool pending = run.out_start < run.out_end;
    bool full = room() < CHUNK / 2, due = pending && (now >= run.flush_at || full);
    bool wants_stdin = run.stdin_left > 0 && run.in_start == run.in_end;
    struct pollfd fds[FDS] = {
        [CONN] = {run.conn, (short)(POLLRDHUP | (wants_stdin ? POLLIN : 0) | (due ? POLLOUT : 0)), 0},
        [SIGNALS] = {run.signals, POLLIN, 0},
        [OUT] = {full ? -1 : run.out.fd, POLLIN, 0},
        [ERR] = {full ? -1 : run.err.fd, POLLIN, 0},
        [IN] = {run.in_start < run.in_end ? run.in : -1, POLLOUT, 0},
    };
    uint64_t next = least(least(run.terminate_at, run.kill_at), least(run.watch_at, run.disk_at));
    if (pending && !due) next = least(next, run.flush_at);
    uint64_t wait = next > now ? next - now : 0;
    struct timespec timeout = {(time_t)(wait / 1000000), (long)(wait % 1000000) * 1000};
    if (ppoll(fds, FDS, &timeout, NULL) < 0) {
      if (errno == EINTR) continue;
      sandbox_error("poll", errno);
    }
    if (fds[CONN].revents & (POLLRDHUP | POLLHUP | POLLERR)) run.cancelled = true;
    if (fds[CONN].revents & POLLIN && wants_stdin) read_stdin();
    if (fds[IN].revents) feed_stdin();
    if (fds[OUT].revents) take_output(&run.out);
    if (fds[ERR].revents) take_output(&run.err);
    if (fds[SIGNALS].revents) reap();
    if (due) flush(false);
  }
}

/* Everything is dead; what it wrote is still in the pipes. */
static void drain(struct stream *stream) {
  if (stream->fd < 0) return;
  do {
    if (room() < CHUNK) flush(true);
  } while (take_output(stream));
}

/* ---- the report ---- */

static enum cause find_cause(void) {
  if (run.cancelled && !run.ended) return ABORTED;
  if (run.killed_for != EXITED) return run.killed_for;
  if (cgroup_has_killed(run.sandbox)) return OUT_OF_MEMORY;
  /* The watch looks a hundred times a second: what ran into a wall between two looks (an allocation
     refused by RLIMIT_DATA, the host's own killer) had still used more than it may. */
  struct rusage tree;
  getrusage(RUSAGE_CHILDREN, &tree);
  if (run.sandbox->config->cgroup == CGROUP_NONE && run.status != 0 &&
      (uint64_t)tree.ru_maxrss * 1024 > run.head.memory_bytes)
    return OUT_OF_MEMORY;
  if (!WIFSIGNALED(run.status)) return EXITED;
  uint64_t cpu_us = (uint64_t)run.usage.ru_utime.tv_sec * 1000000u + (uint64_t)run.usage.ru_utime.tv_usec +
                    (uint64_t)run.usage.ru_stime.tv_sec * 1000000u + (uint64_t)run.usage.ru_stime.tv_usec;
  /* The kernel counts this limit in ticks, which can differ from the time used by a fifth. */
  uint64_t limit_us = (run.head.cpu_ms + 999) / 1000 * 1000000u;
  int signal = WTERMSIG(run.status);
  bool used_up = (signal == SIGXCPU || signal == SIGKILL) && cpu_us > limit_us / 4 * 3;
  return used_up ? CPU_EXCEEDED : SIGNALLED;
}

static double milliseconds(struct timeval time) {
  return (double)time.tv_sec * 1000 + (double)time.tv_usec / 1000;
}

static void send_report(void) {
  struct rusage tree;
  getrusage(RUSAGE_CHILDREN, &tree); /* all that were waited for, by us or by one another */
  uint64_t largest = (uint64_t)tree.ru_maxrss * 1024, charged = cgroup_peak(run.sandbox);
  if (charged > largest) largest = charged;
  enum tier tier = run.sandbox->config->tier;
  char code[16] = "null", signal[16] = "null", text[1024];
  if (run.ended && WIFEXITED(run.status)) snprintf(code, sizeof code, "%d", WEXITSTATUS(run.status));
  if (run.ended && WIFSIGNALED(run.status)) snprintf(signal, sizeof signal, "%d", WTERMSIG(run.status));
  int length = snprintf(
      text, sizeof text,
      "{\"cause\":\"%s\",\"exitCode\":%s,\"signal\":%s,\"wallMs\":%.3f,\"userMs\":%.3f,"
      "\"sysMs\":%.3f,\"maxRssBytes\":%llu,\"stdout\":{\"kept\":%llu,\"total\":%llu},"
      "\"stderr\":{\"kept\":%llu,\"total\":%llu},\"tier\":\"%s\",\"enforcedBy\":{\"wall\":\"timer\","
      "\"cpu\":\"rlimit\",\"memory\":\"%s\",\"processes\":\"rlimit\",\"file\":\"rlimit\","
      "\"disk\":\"%s\",\"openFiles\":\"rlimit\",\"output\":\"supervisor\"}}",
      cause_names[find_cause()], code, signal, (double)(run.ended_at - run.started) / 1000,
      milliseconds(tree.ru_utime), milliseconds(tree.ru_stime),
      (unsigned long long)(largest > run.peak_bytes ? largest : run.peak_bytes),
      (unsigned long long)run.out.kept, (unsigned long long)run.out.total,
      (unsigned long long)run.err.kept, (unsigned long long)run.err.total, tier_names[tier],
      memory_names[run.sandbox->config->cgroup],
      tier == TIER_NAMESPACES ? "tmpfs" : "watch");
  report(text, (size_t)length);
}

_Noreturn void supervise(struct sandbox *sandbox, int conn) {
  run.sandbox = sandbox;
  run.conn = conn;
  run.in = run.out.fd = run.err.fd = -1;
  read_request();
  start();
  serve_command();
  reap_all(sandbox);
  if (!run.ended) run.ended_at = now_us();
  if (run.child.error) sandbox_error(run.child.step, run.child.error);
  drain(&run.out);
  drain(&run.err);
  if (run.sandbox->config->tier > TIER_NAMESPACES) remove_tree(sandbox->work);
  send_report();
  /* A client that is still sending stdin would get an error for it, instead of the report. */
  while (run.stdin_left > 0) {
    ssize_t got = recv(conn, discarded, sizeof discarded, 0);
    if (got <= 0) break;
    run.stdin_left -= least(run.stdin_left, (uint64_t)got);
  }
  _exit(0);
}
