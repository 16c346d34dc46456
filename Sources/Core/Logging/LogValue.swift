/// A value beside a log message. Addresses and credentials have their own cases, so that they can be redacted.
package enum LogValue: Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
    case string(String)
    case integer(Int64)
    case number(Double)
    case boolean(Bool)
    /// A peer's address: shown only when the operator asks (`logging.show_addresses`).
    case address(String)

    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }

    package init(_ value: some CustomStringConvertible) { self = .string(value.description) }
    package init(_ value: some BinaryInteger) { self = .integer(Int64(clamping: value)) }
    package init(_ value: SocketAddress) { self = .address(value.description) }
    package init(_ value: IPAddress) { self = .address(value.description) }
}
