internal import Core

/// Whether and when a failed attempt is made again.
///
/// Exponential backoff with full jitter: a pause is anything between zero and ``firstPause`` doubled per attempt, at most
/// ``longestPause``, so that clients of a service that comes back do not return all at once.
struct RetryPolicy: Sendable {
    static let firstPause: Duration = .milliseconds(250)
    static let longestPause: Duration = .seconds(2)
    /// A service that asks for a longer pause gets no second attempt: somebody waits for the answer.
    static let longestRetryAfter: Duration = .seconds(5)

    enum Failure {
        case error(HTTPClientError.Code)
        case status(Int, retryAfter: Duration?)
    }

    let retries: Int
    let isRepeatable: Bool

    /// The pause before the next attempt; nil: none is made.
    /// - Parameter attempt: how many were made, from 1.
    func pause(after failure: Failure, attempt: Int, random: RandomSource) -> Duration? {
        guard attempt <= retries else { return nil }
        switch failure {
        case .error(let code):
            let isWorthIt = code == .closedEarly || code == .timedOut(.firstByte)
            guard code.neverArrived || (isRepeatable && isWorthIt) else { return nil }
            return Self.jittered(attempt, random)
        case .status(let status, let retryAfter):
            guard isRepeatable, [429, 500, 502, 503, 504].contains(status) else { return nil }
            if let retryAfter {
                guard retryAfter <= Self.longestRetryAfter else { return nil }
                // Somewhat later than asked, never earlier.
                return retryAfter + Self.jittered(1, random)
            }
            // Without a word from the service only a gateway's trouble is likely to pass at once.
            return [502, 503, 504].contains(status) ? Self.jittered(attempt, random) : nil
        }
    }

    private static func jittered(_ attempt: Int, _ random: RandomSource) -> Duration {
        let ceiling = min(longestPause.nanoseconds, firstPause.nanoseconds << Int64(min(max(attempt, 1), 16) - 1))
        return .nanoseconds(Int64(random.uint64() % UInt64(ceiling + 1)))
    }
}
