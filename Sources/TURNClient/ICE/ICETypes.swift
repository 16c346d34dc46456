package import Core

/// Which local transport a candidate stands on: a socket or a relay allocation. The number is the driver's.
package struct LocalCandidateID: Hashable, Sendable {
    package let value: UInt8

    package init(_ value: UInt8) {
        self.value = value
    }
}

/// Who decides which pair is used (RFC 8445 §6.1.1).
package enum ICERole: Hashable, Sendable {
    case controlling
    case controlled

    package var opposite: ICERole { self == .controlling ? .controlled : .controlling }
}

/// The short-term credential of one side in one generation.
package struct ICECredentials: Hashable, Sendable {
    package let usernameFragment: String
    package let password: String

    package init(usernameFragment: String, password: String) {
        self.usernameFragment = usernameFragment
        self.password = password
    }

    /// 48 and 144 random bits; RFC 8445 §5.3 asks for 24 and 128. Fragments name peers in the demultiplexer, hence the
    /// longer one.
    init(random: RandomSource) {
        self.init(usernameFragment: random.iceString(8), password: random.iceString(24))
    }

    var key: [UInt8] { Array(password.utf8) }
}

/// What an agent says about itself, in the words of `RTCIceConnectionState`.
package enum ICEState: String, Hashable, Sendable {
    /// No remote credentials yet.
    case new
    case checking
    /// A pair works and may carry media; the nomination is outstanding.
    case connected
    /// The nominated pair is in use.
    case completed
    /// The peer has been silent for a while; it may come back.
    case disconnected
    case failed
    case closed
}

/// The pair that carries media.
package struct SelectedPair: Hashable, Sendable {
    package var local: LocalCandidateID
    package var remote: SocketAddress
    package var localType: Candidate.Kind
    package var remoteType: Candidate.Kind
    package var isNominated: Bool
    /// Smoothed over the checks; nil until one was answered at its first attempt.
    package var roundTripTime: Duration?
}

/// What became of a remote candidate.
package enum AddOutcome: Hashable, Sendable {
    case added
    case duplicate
    case refused(CandidateRefusal)
    /// The peer has named as many candidates as it may.
    case limit
}

package enum CandidateRefusal: String, Hashable, Sendable {
    case transport
    case component
    /// Unspecified, multicast, reserved, or port 0: no datagram may be sent there. A shared relay allocation can be lost
    /// by a single one.
    case unroutable
    /// The operator's policy does not allow the address.
    case policy
    /// The candidate's `ufrag` is not of the current generation.
    case otherGeneration
    case inactive
}

/// What a STUN datagram turned out to be. Only an authenticated one may bind its source to this peer.
package enum STUNOutcome: Hashable, Sendable {
    case authenticatedRequest
    case authenticatedResponse
    /// A keepalive; unauthenticated by nature, and without effect.
    case indication
    case refused(STUNRefusal)
}

package enum STUNRefusal: String, Hashable, Sendable {
    case malformed
    case unexpectedMethod
    case missingCredentials
    case unknownUsername
    case wrongIntegrity
    case wrongFingerprint
    case unknownTransaction
    case unknownAttribute
    case roleConflict
    case unknownLocalCandidate
    case unroutableSource
    case limit
    case inactive
}
