/* errand's sandbox launcher: what its parts share. See native/README.md for the protocol. */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum tier { TIER_NAMESPACES, TIER_LANDLOCK, TIER_RUNNER, TIER_NONE };

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2 };

enum { MAX_SLOTS = 128, MAX_EXTRA_PATHS = 16 };

/* How this launcher isolates; fixed at start, the same for every command. */
struct config {
  enum tier tier;
  unsigned pool;          /* sandboxes kept prepared */
  unsigned max;           /* sandboxes alive at once */
  int listen_fd;          /* serve: commands arrive here; -1 in `run` */
  int conn_fd;            /* run: the one command arrives here; -1 in `serve` */
  bool guarded;           /* somebody else watches our stdin and ends us */
  bool own_uid;           /* commands run as a uid that nothing else of the host uses */
  uid_t uid;              /* first of them; namespaces: the only one, told apart by namespace */
  uint64_t disk_bytes;    /* size of the tmpfs made in advance; a request may ask for another */
  const char *scratch;    /* below the namespaces tier: where the commands' folders are made */
  const char *read_only[MAX_EXTRA_PATHS]; /* host paths shown besides /usr and a few of /etc */
  unsigned read_only_count;
  const char *hidden[MAX_EXTRA_PATHS];    /* of those, and of /usr, what is not shown after all */
  unsigned hidden_count;
  int landlock_abi;       /* 0: the kernel has none */
  bool watch_only;        /* memory: no cgroup, even where one could be made */
  enum cgroup_kind cgroup; /* what holds each slot's memory; none: the watch alone */
};

/* Wire format of a request: this head, then argc + envc NUL-ended strings, then stdin. */
struct request_head {
  uint32_t magic;
  uint32_t strings_bytes;
  uint64_t stdin_bytes;
  uint64_t wall_ms, grace_ms, cpu_ms;
  uint64_t memory_bytes, processes, file_bytes, disk_bytes, open_files;
  uint64_t stdout_bytes, stderr_bytes;
  uint32_t argc, envc;
};
#define REQUEST_MAGIC 0x31525245u /* "ERR1" */

/* One sandbox, seen by its supervisor. */
struct sandbox {
  const struct config *config;
  unsigned slot;
  uid_t uid;            /* of the command, where config->own_uid */
  char work[256];       /* the command's folder and HOME */
  int proc_fd;          /* /proc, or -1 */
  int ruleset_fd;       /* Landlock rules ready to be enforced, or -1 */
  uint64_t disk_bytes;  /* as mounted now */
  pid_t pool_pid;
  bool disk_is_memory;  /* the command's files are in a tmpfs */
  uint64_t charged_before, held_before; /* in the slot's cgroup, when the command came */
  uint64_t oom_kills, old_peak;         /* the same, of all commands before */
  bool peak_is_own;                     /* the peak could be set back */
  unsigned uid_tasks;     /* of others with the command's uid, where it is shared */
  time_t uid_tasks_at;
};

/* How far the child got between fork and exec, in memory that it shares with its supervisor. */
struct child_status {
  const char *step;
  int error;
};

/* main.c */
extern const char *const tier_names[], *const memory_names[]; /* by enum tier, enum cgroup_kind */
int await_signals(void);
_Noreturn void fail(const char *step);
_Noreturn void fail_with(const char *step, int error);
void remove_places(void);
_Noreturn void begin(struct config *config);

/* cgroup.c: the kernel's count of a slot's memory */
void open_cgroups(struct config *config);
void remove_cgroups(unsigned patience_ms);
void cgroup_use(const struct config *config, unsigned slot);
void cgroup_prepare(struct sandbox *sandbox);
bool cgroup_limit(struct sandbox *sandbox, uint64_t bytes, uint64_t disk);
bool cgroup_join(const struct sandbox *sandbox);
bool cgroup_has_killed(const struct sandbox *sandbox);
uint64_t cgroup_memory(const struct sandbox *sandbox, uint64_t limit, uint64_t disk_used);
uint64_t cgroup_peak(const struct sandbox *sandbox);

/* root.c: the namespaces tier's file tree and namespaces */
void build_root(const struct config *config);
void map_ids(const char *inner_id, uid_t outer_uid, gid_t outer_gid);
void enter_sandbox(struct sandbox *sandbox);
bool resize_disk(struct sandbox *sandbox, uint64_t bytes);

/* landlock.c: which files a command may use */
int landlock_abi(void);
int make_ruleset(const struct config *config, const char *work);
bool enforce_ruleset(int ruleset);

/* seccomp.c: which system calls it may make */
void build_seccomp(const struct config *config);
bool install_seccomp(void);

/* confine.c: all that it gets between fork and exec */
void confine_self(struct sandbox *sandbox, const struct request_head *limits,
                  struct child_status *status);
bool drop_bounding_set(void);

/* tree.c: the processes of one command */
extern struct process {
  pid_t pid, parent;
  bool ours;
} processes[]; /* as the last list_tree() found them */
unsigned list_tree(const struct sandbox *sandbox);
const char *slurp(int proc_fd, const char *path);
void signal_tree(const struct sandbox *sandbox, int signal);
void reap_all(const struct sandbox *sandbox);
void kill_strays(const pid_t *known, unsigned count);
void count_uid_tasks(struct sandbox *sandbox, time_t valid_seconds);

/* memory.c: what these processes hold, where no cgroup counts it */
struct tree_memory {
  uint64_t bytes;
  uint64_t certain; /* of that, what cannot be one thing counted twice */
  unsigned processes;
};
struct tree_memory tree_memory(const struct sandbox *sandbox, uint64_t limit, bool proportional);

/* scratch.c: the folders of commands without a tmpfs */
bool remove_tree(const char *path);
uint64_t disk_usage(int dir_fd, const char *name, unsigned depth);

/* supervise.c: one command from request to report */
_Noreturn void supervise(struct sandbox *sandbox, int conn);

/* pool.c */
_Noreturn void run_pool(struct config *config);

/* probe.c */
int probe(const struct config *config);

#endif
