/// A value that belongs to one loop's thread, in a box that may be handed around.
///
/// ``withValue(_:)`` traps off the loop, and where it is called again from within its own body.
// SAFETY: `value` is read and written on the loop's thread alone; `withValue` checks it.
package final class LoopBound<Value: ~Copyable>: @unchecked Sendable {
    package let loop: EventLoop
    private var value: Value

    package init(_ value: consuming sending Value, on loop: EventLoop) {
        self.value = value
        self.loop = loop
    }

    package func withValue<Result: ~Copyable, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        loop.assertOnLoop()
        return try body(&value)
    }
}
