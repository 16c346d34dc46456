extension PeerConnection {
    /// Why the DTLS connection ended badly; nil where it did not.
    package var dtlsFailure: DTLSFailure? {
        switch dtls {
        case .some(let connection):
            guard case .failed(let failure) = connection.state else { return nil }
            return failure
        case .none: return nil
        }
    }
}
