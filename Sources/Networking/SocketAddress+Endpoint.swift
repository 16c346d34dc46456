internal import CLinux
internal import Core

extension SocketAddress {
    /// The form in which CLinux takes addresses.
    @inline(__always)
    var endpoint: clinux_endpoint {
        switch ip {
        case .v4(let value): clinux_endpoint(high: 0, low: UInt64(value), port: port, is_v6: 0)
        case .v6(let high, let low): clinux_endpoint(high: high, low: low, port: port, is_v6: 1)
        }
    }

    @inline(__always)
    init(_ endpoint: clinux_endpoint) {
        let ip: IPAddress =
            endpoint.is_v6 == 0
            ? .v4(UInt32(truncatingIfNeeded: endpoint.low)) : .v6(high: endpoint.high, low: endpoint.low)
        self.init(ip, endpoint.port)
    }
}
