/// One allocation, never given twice in the life of the process.
package struct AllocationID: Hashable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package init(_ value: UInt64) {
        self.value = value
    }

    package var description: String { "a\(value)" }
}
