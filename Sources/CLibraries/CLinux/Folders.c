#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Each level holds a descriptor.
enum { DEEPEST = 60 };

static DIR *open_folder(int parent, const char *name) {
    int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!folder && descriptor >= 0) close(descriptor);
    return folder;
}

static struct dirent *next_entry(DIR *folder) {
    struct dirent *entry;
    while ((entry = readdir(folder)) && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)) {}
    return entry;
}

// MARK: Adding up

static int add_up(int parent, const char *name, int depth, int64_t *entries_left, int64_t *bytes) {
    if (depth > DEEPEST) return -ELOOP;
    DIR *folder = open_folder(parent, name);
    if (!folder) return 0;  // Gone by now, or not ours to read.
    int code = 0;
    struct dirent *entry;
    while (code == 0 && (entry = next_entry(folder))) {
        struct stat status;
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0) continue;
        *bytes += (int64_t)status.st_blocks * 512;
        if ((*entries_left -= 1) < 0) code = -E2BIG;
        else if (S_ISDIR(status.st_mode)) code = add_up(dirfd(folder), entry->d_name, depth + 1, entries_left, bytes);
    }
    closedir(folder);
    return code;
}

int clinux_folder_bytes(const char *path, int64_t most_entries, int64_t *bytes) {
    *bytes = 0;
    return add_up(AT_FDCWD, path, 0, &most_entries, bytes);
}

// MARK: Removing

struct removal {
    int top;
    unsigned moved;
    int failure;
};

static void empty(DIR *folder, int depth, struct removal *removal) {
    struct dirent *entry;
    while ((entry = next_entry(folder))) {
        int here = dirfd(folder);
        if (unlinkat(here, entry->d_name, 0) == 0) continue;
        if (errno != EISDIR && errno != EPERM) {
            removal->failure = -errno;
            continue;
        }
        (void)fchmodat(here, entry->d_name, 0700, 0);
        if (depth >= DEEPEST) {
            // Too deep for our descriptors: it waits at the top for its turn.
            char name[64];
            snprintf(name, sizeof name, ".removed-%u", removal->moved += 1);
            if (renameat(here, entry->d_name, removal->top, name) < 0) removal->failure = -errno;
            continue;
        }
        DIR *inner = open_folder(here, entry->d_name);
        if (inner) {
            empty(inner, depth + 1, removal);
            closedir(inner);
        }
        if (unlinkat(here, entry->d_name, AT_REMOVEDIR) < 0) removal->failure = -errno;
    }
}

int clinux_remove_folder(const char *path) {
    struct removal removal = {0};
    unsigned moved;
    do {
        DIR *folder = open_folder(AT_FDCWD, path);
        if (!folder) return errno == ENOENT ? 0 : -errno;
        moved = removal.moved;
        removal.top = dirfd(folder);
        removal.failure = 0;
        empty(folder, 0, &removal);
        closedir(folder);
    } while (removal.moved != moved);
    if (rmdir(path) == 0) return 0;
    return removal.failure != 0 ? removal.failure : -errno;
}
