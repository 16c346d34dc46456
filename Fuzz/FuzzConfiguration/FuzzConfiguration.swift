import AvatarStreamer

/// Any configuration file: it is taken, or every problem has a line and a few words.
@c(LLVMFuzzerTestOneInput)
package func fuzzConfiguration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    for problem in ConfigurationCheck.problems(in: input) {
        precondition(problem.utf8.count < 4096, "a complaint of any length")
    }
    return 0
}
