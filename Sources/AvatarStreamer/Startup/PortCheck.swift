internal import Core
internal import MediaLoop
internal import Networking

/// One port that the server is going to bind.
struct NeededPort: Equatable, Sendable {
    var port: Int
    var transport: PortOwner.Transport
    /// What it is for, and the key that moves it.
    var purpose: String
    var setting: String
}

/// Looks, before anything is bound, whether every port is free, so that all conflicts are told at once and by name.
enum PortCheck {
    /// The ports that a configuration needs.
    static func needed(by configuration: Configuration) -> [NeededPort] {
        let webRTC = configuration.webRTC
        // Only its ports are looked at; the address does not matter here.
        let connectivity = Composition.connectivity(configuration, publicAddress: .loopbackV4)
        var ports = [
            NeededPort(
                port: configuration.management.port, transport: .tcp, purpose: "management API",
                setting: "management.port"),
            NeededPort(
                port: configuration.signaling.port, transport: .tcp, purpose: "signaling", setting: "signaling.port"),
        ]
        if configuration.robotControl.enabled {
            ports.append(
                NeededPort(
                    port: configuration.robotControl.port, transport: .tcp, purpose: "robot control",
                    setting: "robot_control.port"))
        }
        if configuration.connectivity != .direct {
            switch configuration.relay {
            case .embedded:
                for transport in [PortOwner.Transport.udp, .tcp] {
                    ports.append(
                        NeededPort(
                            port: webRTC.portMinimum, transport: transport, purpose: "embedded relay",
                            setting: "webrtc.port_min"))
                }
                ports.append(
                    NeededPort(
                        port: Int(connectivity.mediaPort), transport: .udp, purpose: "relayed media",
                        setting: "webrtc.port_min"))
            case .external:
                ports.append(
                    NeededPort(
                        port: webRTC.turnLocalPort, transport: .udp, purpose: "allocation on the external relay",
                        setting: "webrtc.turn_local_port"))
            }
        }
        if connectivity.offersDirect {
            ports.append(
                NeededPort(
                    port: Int(connectivity.directPort), transport: .udp, purpose: "direct media",
                    setting: "webrtc.port_min"))
        }
        return ports
    }

    /// One sentence for each port that somebody holds; `owner` is asked for every port.
    static func conflicts(
        _ ports: [NeededPort], owner: (UInt16, PortOwner.Transport) -> String? = { PortOwner.describe($0, $1) }
    ) -> [String] {
        ports.compactMap { needed in
            guard let port = UInt16(exactly: needed.port), let holder = owner(port, needed.transport) else {
                return nil
            }
            let name = needed.transport == .tcp ? "TCP" : "UDP"
            return "\(name) port \(needed.port) (\(needed.purpose)) is held by \(holder): "
                + "stop it, or set \(needed.setting)"
        }
    }
}
