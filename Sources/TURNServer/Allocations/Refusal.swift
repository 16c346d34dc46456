internal import TURNClient

/// Why an authenticated request is refused.
///
/// - SeeAlso: [RFC 8656 §19](https://www.rfc-editor.org/rfc/rfc8656#section-19)
enum Refusal: Error, Equatable {
    case badRequest(String)
    case forbiddenPeer
    case unknownAttributes([UInt16])
    case allocationMismatch
    case addressFamilyNotSupported
    case wrongCredentials
    case unsupportedTransport
    case peerAddressFamilyMismatch
    case allocationQuotaReached
    case insufficientCapacity

    var code: Int {
        switch self {
        case .badRequest: 400
        case .forbiddenPeer: 403
        case .unknownAttributes: 420
        case .allocationMismatch: 437
        case .addressFamilyNotSupported: 440
        case .wrongCredentials: 441
        case .unsupportedTransport: 442
        case .peerAddressFamilyMismatch: 443
        case .allocationQuotaReached: 486
        case .insufficientCapacity: 508
        }
    }

    var reason: String {
        switch self {
        case .badRequest(let what): "Bad Request: \(what)"
        case .forbiddenPeer: "Forbidden: this relay reaches its own media server only"
        case .unknownAttributes: "Unknown Attribute"
        case .allocationMismatch: "Allocation Mismatch"
        case .addressFamilyNotSupported: "Address Family not Supported"
        case .wrongCredentials: "Wrong Credentials"
        case .unsupportedTransport: "Unsupported Transport Protocol"
        case .peerAddressFamilyMismatch: "Peer Address Family Mismatch"
        case .allocationQuotaReached: "Allocation Quota Reached"
        case .insufficientCapacity: "Insufficient Capacity"
        }
    }

    func response(to request: STUNMessage) -> STUNMessage {
        if case .unknownAttributes(let types) = self {
            return .error(to: request, code: code, reason: reason, attributes: [.unknownAttributes(types)])
        }
        return .error(to: request, code: code, reason: reason)
    }

    func count(in counters: inout TURNServer.Counters) {
        switch self {
        case .badRequest, .unknownAttributes, .addressFamilyNotSupported, .unsupportedTransport:
            counters.refusedRequest &+= 1
        case .forbiddenPeer, .peerAddressFamilyMismatch: counters.refusedPeer &+= 1
        case .allocationMismatch: counters.refusedAllocationMismatch &+= 1
        case .wrongCredentials: counters.refusedWrongUser &+= 1
        case .allocationQuotaReached: counters.refusedQuota &+= 1
        case .insufficientCapacity: counters.refusedCapacity &+= 1
        }
    }
}
