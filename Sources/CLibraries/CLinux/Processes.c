#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int clinux_process_descriptor(int process) {
    int descriptor = (int)syscall(SYS_pidfd_open, process, 0);  // Close-on-exec by itself.
    return descriptor < 0 ? -errno : descriptor;
}

static int unblocked(int ends[2], int ours) {
    if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) >= 0) return 0;
    int code = errno;
    close(ends[0]);
    close(ends[1]);
    return -code;
}

int clinux_pipe(int ends[2], int ours) {
    return pipe2(ends, O_CLOEXEC) < 0 ? -errno : unblocked(ends, ours);
}

int clinux_stream_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : unblocked(ends, 0);
}

// MARK: Landlock (the kernel's numbers, since the headers of Debian 12 end with version 2)

enum {
    EXECUTE_AND_READ = 1 << 0 | 1 << 2 | 1 << 3,
    WRITE_FILE = 1 << 1,
    REFER = 1 << 13,     // Version 2.
    TRUNCATE = 1 << 14,  // Version 3.
    SCOPE_SIGNAL = 1 << 1,
};

struct landlock_rules {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

struct landlock_path {
    uint64_t allowed_access;
    int32_t parent;
} __attribute__((packed));

int clinux_landlock_version(void) {
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
    return version < 0 ? -errno : version;
}

static int allow_writing(int rules, const char *path, uint64_t access) {
    struct landlock_path rule = {.parent = open(path, O_PATH | O_CLOEXEC)};
    struct stat status;
    if (rule.parent < 0) return -errno;
    int code = fstat(rule.parent, &status) < 0 ? -errno : 0;
    rule.allowed_access = S_ISDIR(status.st_mode) ? access : access & (WRITE_FILE | TRUNCATE);
    if (code == 0 && syscall(SYS_landlock_add_rule, rules, 1, &rule, 0) < 0) code = -errno;
    close(rule.parent);
    return code;
}

int clinux_landlock_rules(const char *const writable[], int count) {
    int version = clinux_landlock_version();
    if (version < 0) return version;
    uint64_t access = ((1 << 13) - 1) & ~EXECUTE_AND_READ;
    if (version >= 2) access |= REFER;
    if (version >= 3) access |= TRUNCATE;
    struct landlock_rules attributes = {.handled_access_fs = access, .scoped = version >= 6 ? SCOPE_SIGNAL : 0};
    size_t size = version >= 6 ? 24 : version >= 4 ? 16 : 8;
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);  // Close-on-exec by itself.
    if (rules < 0) return -errno;
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full"};
    for (int index = 0; index < 3; index += 1) (void)allow_writing(rules, devices[index], access);
    for (int index = 0; index < count; index += 1) {
        int code = allow_writing(rules, writable[index], access);
        if (code == 0) continue;
        close(rules);
        return code;
    }
    return rules;
}

// MARK: Starting a program

// What the child tells of its failure before it could become the program.
struct failure {
    int code;
    const char *place;
};

_Noreturn static void give_up(int report, const char *place) {
    struct failure failure = {.code = errno, .place = place};
    (void)!write(report, &failure, sizeof failure);
    _exit(127);
}

static bool limit(int resource, int64_t value, int64_t slack) {
    if (value < 0) return true;
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0) return false;
    // A limit that is stricter already stays.
    if ((rlim_t)(value + slack) < limit.rlim_max) limit.rlim_max = (rlim_t)(value + slack);
    limit.rlim_cur = (rlim_t)value < limit.rlim_max ? (rlim_t)value : limit.rlim_max;
    return setrlimit(resource, &limit) == 0;
}

static void close_on_exec_from(int first) {
    if (syscall(SYS_close_range, first, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) == 0) return;
    // Linux before 5.11.
    struct rlimit files = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    int last = files.rlim_max > 65536 ? 65536 : (int)files.rlim_max;
    for (int descriptor = first; descriptor < last; descriptor += 1) (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

static void confine(const clinux_spawn_options *options, pid_t parent, int report) {
    if (setsid() < 0) give_up(report, "lead a session");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) give_up(report, "die with the server");
    if (getppid() != parent) _exit(127);  // Gone before the line above.
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) give_up(report, "keep its orphans");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) give_up(report, "give up new privileges");
    if (options->control_group >= 0 && write(options->control_group, "0", 1) < 0) give_up(report, "enter the control group");
    struct rlimit mark = {.rlim_cur = options->mark, .rlim_max = options->mark};
    // It fails where a stricter one is set: the tree is then known by its other signs alone.
    if (options->mark != 0) (void)setrlimit(RLIMIT_LOCKS, &mark);
    // Past its CPU time it is told first (SIGXCPU), which also tells us.
    if (!limit(RLIMIT_CORE, 0, 0) || !limit(RLIMIT_AS, options->address_space, 0)
        || !limit(RLIMIT_NPROC, options->processes, 0) || !limit(RLIMIT_FSIZE, options->file_bytes, 0)
        || !limit(RLIMIT_CPU, options->cpu_seconds, 5) || !limit(RLIMIT_NOFILE, options->open_files, 0))
        give_up(report, "set its limits");
    if (options->landlock >= 0 && syscall(SYS_landlock_restrict_self, options->landlock, 0) < 0)
        give_up(report, "set its Landlock rules");
}

// Runs in the child, which shares our memory until it has become the program: async-signal-safe calls alone.
_Noreturn static void become(
    char *const arguments[], char *const environment[], const int standard[3], const clinux_spawn_options *options,
    pid_t parent, int report) {
    struct sigaction standard_action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number += 1) (void)sigaction(number, &standard_action, NULL);
    if (!options->is_confined && setpgid(0, 0) < 0) give_up(report, "lead a process group");
    int moved[3];
    for (int number = 0; number < 3; number += 1)
        if ((moved[number] = fcntl(standard[number], F_DUPFD_CLOEXEC, 3)) < 0) give_up(report, "take its pipes");
    for (int number = 0; number < 3; number += 1)
        if (dup2(moved[number], number) < 0) give_up(report, "take its pipes");
    if (options->directory && chdir(options->directory) < 0) give_up(report, "enter its folder");
    close_on_exec_from(3);
    if (options->is_confined) confine(options, parent, report);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(arguments[0], arguments, environment);
    give_up(report, "start it");
}

int clinux_spawn(
    char *const arguments[], char *const environment[], const int standard[3], const clinux_spawn_options *options,
    const char **place) {
    int report[2];
    *place = "make a pipe";
    if (pipe2(report, O_CLOEXEC) < 0) return -errno;
    // The report must not be where its standard descriptors go.
    int kept = fcntl(report[1], F_DUPFD_CLOEXEC, 3);
    close(report[1]);
    sigset_t all, before;
    sigfillset(&all);
    // No handler of ours may run in the child while it shares our memory.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    *place = "make a process";
    // vfork, since copying the page tables of a server with gigabytes takes milliseconds, and every page a fault after that.
    pid_t process = kept < 0 ? -1 : vfork();
    int code = process < 0 ? errno : 0;
    if (process == 0) become(arguments, environment, standard, options, parent, kept);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (kept >= 0) close(kept);
    struct failure failure = {0};
    ssize_t count = 0;
    if (process > 0)
        while ((count = read(report[0], &failure, sizeof failure)) < 0 && errno == EINTR) {}
    close(report[0]);
    if (count != sizeof failure) return process < 0 ? -code : process;
    while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {}
    *place = failure.place;
    return -failure.code;
}
