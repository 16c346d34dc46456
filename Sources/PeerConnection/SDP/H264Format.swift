/// What `a=fmtp` says of an H.264 payload type.
/// - SeeAlso: [RFC 6184 §8.1](https://www.rfc-editor.org/rfc/rfc6184#section-8.1)
struct H264Format: Equatable, Sendable {
    /// The sub-profile that the first two bytes of `profile-level-id` mean (RFC 6184 table 5), as far as it matters here.
    enum Profile: Equatable, Sendable {
        case constrainedBaseline
        case baseline
        case other
    }

    /// Ours in offers: constrained baseline, level 3.1, which is 1280x720 at 30 frames a second. A Go2 sends exactly this.
    static let offered = H264Format(packetizationMode: 1, profileLevelID: 0x42E01F)
    /// Where nothing is said: baseline, level 1, one NAL unit a packet.
    static let unspecified = H264Format(packetizationMode: 0, profileLevelID: 0x42000A)
    /// `level_idc` that a receiver must have at least for what we send.
    private static let minimumLevel: UInt32 = 31

    var packetizationMode: Int
    /// 24 bits: profile, constraint flags, level.
    var profileLevelID: UInt32

    init(packetizationMode: Int, profileLevelID: UInt32) {
        self.packetizationMode = packetizationMode
        self.profileLevelID = profileLevelID
    }

    /// Reads the parameters; what is not understood counts as not said.
    init(parameters: some StringProtocol) {
        self = .unspecified
        for parameter in parameters.split(separator: ";") {
            let parts = parameter.split(separator: "=", maxSplits: 1).map { String($0).filter { $0 != " " } }
            guard parts.count == 2 else { continue }
            switch parts[0].lowercased() {
            case "packetization-mode": packetizationMode = Int(parts[1]) ?? packetizationMode
            case "profile-level-id":
                guard parts[1].utf8.count == 6, let id = UInt32(parts[1], radix: 16) else { continue }
                profileLevelID = id
            default: break
            }
        }
    }

    var profile: Profile {
        let profile = UInt8(truncatingIfNeeded: profileLevelID >> 16)
        let constraints = UInt8(truncatingIfNeeded: profileLevelID >> 8)
        switch profile {
        // 42: x1xx0000 is constrained baseline, x0xx0000 baseline. 4D: 1xxx0000. 58: 11xx0000 and 10xx0000.
        case 0x42 where constraints & 0x4F == 0x40: return .constrainedBaseline
        case 0x42 where constraints & 0x4F == 0: return .baseline
        case 0x4D where constraints & 0x8F == 0x80: return .constrainedBaseline
        case 0x58 where constraints & 0xCF == 0xC0: return .constrainedBaseline
        case 0x58 where constraints & 0xCF == 0x80: return .baseline
        default: return .other
        }
    }

    /// True where a receiver of this format takes what we send: constrained baseline of level 3.1 in fragments.
    var takesOurs: Bool {
        packetizationMode == 1 && profile != .other && profileLevelID & 0xFF >= Self.minimumLevel
    }

    /// As `a=fmtp` has it. `level-asymmetry-allowed`: what we send need not have the level of what we take.
    var parameters: String {
        let digits = String(profileLevelID & 0xFF_FFFF, radix: 16)
        let id = String(repeating: "0", count: 6 - digits.count) + digits
        return "level-asymmetry-allowed=1;packetization-mode=\(packetizationMode);profile-level-id=\(id)"
    }
}
