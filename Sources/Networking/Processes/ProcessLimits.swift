/// What a program that we do not trust may use; nil: no limit of ours.
///
/// Set in the child before its program runs, and inherited by whatever it starts.
/// - SeeAlso: [setrlimit(2)](https://man7.org/linux/man-pages/man2/setrlimit.2.html)
package struct ProcessLimits: Sendable, Equatable {
    /// `RLIMIT_AS` of each process, bytes.
    package var addressSpace: Int?
    /// Processes and threads of the whole tree. `RLIMIT_NPROC` is set as well, to so many more than the user has at the start: it counts
    /// all of a user's, and root is exempt from it.
    package var processes: Int?
    /// `RLIMIT_NOFILE`.
    package var openFiles: Int?
    /// `RLIMIT_FSIZE`, bytes of one file.
    package var fileBytes: Int?
    /// `RLIMIT_CPU`, seconds of one process, for its whole life.
    package var cpuSeconds: Int?
    /// Resident bytes of the whole tree.
    package var residentBytes: Int?
    /// Bytes in ``scratchFolder``.
    package var scratchBytes: Int?
    package var scratchFolder: String?
    /// The only files and folders that may be written to (Landlock); nil: wherever the user may.
    package var writableFolders: [String]?

    package init() {}
}
