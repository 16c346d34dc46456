extension TURNServer {
    /// What happened since the start; only ever growing, for the metrics to read.
    package struct Counters: Equatable, Sendable {
        package var allocationsMade: UInt64 = 0
        package var allocationsEnded: UInt64 = 0
        /// Datagrams handed to the media side.
        package var datagramsRelayed: UInt64 = 0
        package var bindingRequestsAnswered: UInt64 = 0
        /// 401 to a request without credentials: the normal beginning.
        package var challenged: UInt64 = 0

        // Refused with an error response
        /// 401: a wrong or expired credential.
        package var refusedCredential: UInt64 = 0
        /// 438
        package var refusedStaleNonce: UInt64 = 0
        /// 441: another user's allocation.
        package var refusedWrongUser: UInt64 = 0
        /// 437
        package var refusedAllocationMismatch: UInt64 = 0
        /// 486: the credential's or the address's quota.
        package var refusedQuota: UInt64 = 0
        /// 508: this server's own capacity.
        package var refusedCapacity: UInt64 = 0
        /// 403 and 443: a peer that is not this server.
        package var refusedPeer: UInt64 = 0
        /// 400, 420, 440 and 442: a request that we cannot follow.
        package var refusedRequest: UInt64 = 0

        // Dropped in silence
        /// Neither a request or indication of STUN's nor ChannelData.
        package var droppedMalformed: UInt64 = 0
        package var droppedOverRate: UInt64 = 0
        /// An answer that would have been more than the unproven address had sent.
        package var droppedAmplification: UInt64 = 0
        /// Data on a path without an allocation.
        package var droppedWithoutAllocation: UInt64 = 0
        /// Data on a channel that is not bound, or without a permission.
        package var droppedWithoutPermission: UInt64 = 0
        /// Data to a peer that is not this server.
        package var droppedForbiddenPeer: UInt64 = 0

        package init() {}
    }
}
