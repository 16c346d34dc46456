// Teaches ThreadSanitizer the slow path of Swift's Synchronization.Mutex (Linux, x86-64).
//
// The fast path is inlined and instrumented; a contended lock or unlock runs inside libswiftSynchronization, which is
// not, so that every contended Mutex is reported as a race. This library goes in front of those two functions:
//   cc -shared -fPIC -O1 Tests/Sanitizers/MutexForThreadSanitizer.c -o mutex-tsan.so
//   LD_PRELOAD=$PWD/mutex-tsan.so swift test --sanitize=thread --skip-build …
#define _GNU_SOURCE
#include <dlfcn.h>

extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));
void *swift_mutex_lock_slow, *swift_mutex_unlock_slow;

__attribute__((constructor)) static void find(void) {
    swift_mutex_lock_slow = dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
    swift_mutex_unlock_slow = dlsym(RTLD_NEXT, "$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
}

__attribute__((visibility("hidden"))) void swift_mutex_locked(void *handle) {
    if (__tsan_acquire) __tsan_acquire(handle);
}

__attribute__((visibility("hidden"))) void swift_mutex_unlocking(void *handle) {
    if (__tsan_release) __tsan_release(handle);
}

// swiftcc on x86-64: self is in r13, which the callee keeps; the argument is in edi.
__asm__(
    ".text\n"
    ".globl \"$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF\"\n"
    ".type \"$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF\", @function\n"
    "\"$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF\":\n"
    "  pushq %r13\n"
    "  movq swift_mutex_lock_slow@GOTPCREL(%rip), %rax\n"
    "  call *(%rax)\n"
    "  movq (%rsp), %rdi\n"
    "  call swift_mutex_locked\n"
    "  popq %r13\n"
    "  ret\n"
    ".globl \"$s15Synchronization12_MutexHandleV11_unlockSlowyyF\"\n"
    ".type \"$s15Synchronization12_MutexHandleV11_unlockSlowyyF\", @function\n"
    "\"$s15Synchronization12_MutexHandleV11_unlockSlowyyF\":\n"
    "  pushq %r13\n"
    "  movq %r13, %rdi\n"
    "  call swift_mutex_unlocking\n"
    "  movq (%rsp), %r13\n"
    "  movq swift_mutex_unlock_slow@GOTPCREL(%rip), %rax\n"
    "  call *(%rax)\n"
    "  popq %r13\n"
    "  ret\n");
