internal import Core
internal import Networking

/// Where a participant of ours takes part.
package struct DDSSettings: Hashable, Sendable {
    /// 0 to 232; the robot itself is in 0.
    package var domain: Int
    /// The one network interface that is spoken through; nothing leaves through another.
    package var interface: String

    package init(domain: Int, interface: String) {
        self.domain = domain
        self.interface = interface
    }

    /// Whether the interface is up and has an address that DDS can use.
    var isInterfaceThere: Bool {
        NetworkInterface.all().contains { $0.name == interface && $0.ip.isIPv4 }
    }

    /// Bytes of a sample, at most; the largest that is read, the robot's low state, has about 1,200.
    package static let maximumSample = 1 << 20

    /// The library's own configuration. On loopback, which knows no multicast, participants of this machine are asked one by one.
    var xml: String {
        let name = interface.map(Self.escaped).joined()
        let isLoopback = interface == "lo"
        let peers = isLoopback ? "<Peers><Peer address=\"127.0.0.1\"/></Peers>" : ""
        return "<Domain Id=\"any\"><General><Interfaces><NetworkInterface name=\"\(name)\" multicast=\""
            + (isLoopback ? "true" : "default") + "\"/></Interfaces></General><Discovery>"
            + "<ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>32</MaxAutoParticipantIndex>\(peers)"
            + "</Discovery><Tracing><Verbosity>none</Verbosity><OutputFile>stderr</OutputFile></Tracing></Domain>"
    }

    private static func escaped(_ character: Character) -> String {
        switch character {
        case "&": "&amp;"
        case "<": "&lt;"
        case ">": "&gt;"
        case "\"": "&quot;"
        default: String(character)
        }
    }
}
