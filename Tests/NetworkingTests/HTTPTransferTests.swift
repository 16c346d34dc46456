import Core
import Testing

@testable import Networking

@Suite struct HTTPTransferTests {
    @Test("Only what cannot do harm is tried again, later each time and never exactly together")
    func retryPolicy() {
        let once = RetryPolicy(retries: 2, isRepeatable: false)
        let often = RetryPolicy(retries: 2, isRepeatable: true)
        let random = RandomSource.seeded(1)
        func pause(_ policy: RetryPolicy, _ failure: RetryPolicy.Failure, _ attempt: Int = 1) -> Duration? {
            policy.pause(after: failure, attempt: attempt, random: random)
        }
        for code in [HTTPClientError.Code.connectionFailed, .unresolvable, .timedOut(.connect)] {
            #expect(pause(once, .error(code)) != nil)
            #expect(pause(once, .error(code), 3) == nil, "no attempt is left")
        }
        for code in [HTTPClientError.Code.closedEarly, .timedOut(.firstByte)] {
            #expect(pause(once, .error(code)) == nil)
            #expect(pause(often, .error(code)) != nil)
        }
        for code in [HTTPClientError.Code.tlsFailed, .tooLarge, .malformedAnswer, .timedOut(.total), .cancelled] {
            #expect(pause(often, .error(code)) == nil)
        }
        #expect(pause(once, .status(503, retryAfter: .zero)) == nil)
        #expect(pause(often, .status(429, retryAfter: nil)) == nil)
        #expect(pause(often, .status(500, retryAfter: nil)) == nil)
        #expect(pause(often, .status(502, retryAfter: nil)) != nil)
        #expect(pause(often, .status(400, retryAfter: .zero)) == nil)
        #expect(pause(often, .status(503, retryAfter: .seconds(6))) == nil)
        #expect(
            pause(often, .status(503, retryAfter: .seconds(2))).map { $0 >= .seconds(2) && $0 <= .seconds(3) } == true)
        let pauses = Set((0..<50).compactMap { _ in pause(often, .error(.connectionFailed), 2) })
        #expect(pauses.count > 40 && pauses.allSatisfy { $0 <= .milliseconds(500) })
    }

    @Test("Silence counts from the last byte, and not while the reader takes nothing")
    func deadlines() {
        var request = HTTPClientRequest(.get, "http://h/")
        (request.firstByteTimeout, request.idleTimeout, request.totalTimeout) = (.seconds(2), .seconds(1), .seconds(10))
        func at(_ seconds: Int) -> Instant { .zero + .seconds(seconds) }
        var deadlines = TransferDeadlines(request, began: .zero, now: at(1))
        #expect(
            deadlines.deadline == at(3) && deadlines.expired(at(2)) == nil && deadlines.expired(at(3)) == .firstByte)
        deadlines.byteArrived(at(2))
        #expect(deadlines.deadline == at(3) && deadlines.expired(at(3)) == .idle)
        deadlines.paused()
        #expect(deadlines.expired(at(9)) == nil && deadlines.expired(at(10)) == .total)
        deadlines.resumed(at(5))
        #expect(deadlines.deadline == at(6) && deadlines.expired(at(6)) == .idle)
    }

    @Test("A head is read line by line; interim answers are passed over")
    func head() throws {
        var head = ResponseHead()
        for line in ["HTTP/1.1 100 Continue", "", "HTTP/2 200", "Content-Type: Text/HTML; charset=x", "a:  b ", "odd"] {
            #expect(try head.append(Array((line + "\r\n").utf8)) == false)
        }
        #expect(try head.append(Array("\r\n".utf8)))
        #expect(head.status == 200 && head.headers["A"] == "b" && head.headers.mediaType == "text/html")
        for line in ["HTTP/1.1\r\n", "HTTP/1.1 OK\r\n", "HTTP/1.1 700 X\r\n", "X: y\r\n", "\r\n"] {
            var head = ResponseHead()
            #expect(throws: ResponseHead.Fault.malformed) { _ = try head.append(Array(line.utf8)) }
        }
        var headers: HTTPClientHeaders = ["Retry-After": "7"]
        #expect(headers.retryAfter == .seconds(7))
        for value in ["-1", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999", "1.5"] {
            headers["retry-after"] = value
            #expect(headers.retryAfter == nil && headers.fields.count == 1)
        }
    }
}
