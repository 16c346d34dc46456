import Core
import Testing

@testable import RobotControl

struct AccessRuleTests {
    private let open = AccessRule(token: nil, viewerToken: nil, origins: [])
    private let closed = AccessRule(token: "a-token-of-16-chars", viewerToken: "another-one-of-16", origins: [])

    @Test func `without a token everybody is an operator, whatever he shows`() {
        #expect(open.role(auth: .null, authorization: nil) == .controller)
        #expect(open.role(auth: ["token": "x"], authorization: nil) == .controller)
    }

    @Test func `a token is taken from CONNECT or from the request, and no other is`() {
        #expect(closed.role(auth: ["token": "a-token-of-16-chars"], authorization: nil) == .controller)
        #expect(closed.role(auth: .null, authorization: "Bearer a-token-of-16-chars") == .controller)
        #expect(closed.role(auth: ["token": "another-one-of-16"], authorization: nil) == .viewer)
        #expect(closed.role(auth: ["token": "a-token-of-16-char"], authorization: nil) == nil)
        #expect(closed.role(auth: ["token": 7], authorization: "Basic a-token-of-16-chars") == nil)
        #expect(closed.role(auth: .null, authorization: nil) == nil)
    }

    @Test func `pages of other origins are kept out, programs and the own page are not`() {
        #expect(open.admits(origin: nil, host: "127.0.0.1:8000"))
        #expect(open.admits(origin: "http://127.0.0.1:8000", host: "127.0.0.1:8000"))
        #expect(open.admits(origin: "http://[::1]:8000", host: "[::1]:8000"))
        #expect(!open.admits(origin: "https://evil.example", host: "127.0.0.1:8000"))
        #expect(!open.admits(origin: "null", host: "127.0.0.1:8000"))
        #expect(!open.admits(origin: "http://127.0.0.1:8000", host: nil))
    }

    @Test func `a name that points here is no own page where no token is asked`() {
        #expect(!open.admits(origin: "http://evil.example:8000", host: "evil.example:8000"))
        #expect(closed.admits(origin: "http://robot.example:8000", host: "robot.example:8000"))
    }

    @Test func `configured origins may connect`() {
        let listed = AccessRule(token: nil, viewerToken: nil, origins: ["https://a.example"])
        #expect(listed.admits(origin: "https://a.example", host: "127.0.0.1:8000"))
        #expect(!listed.admits(origin: "https://b.example", host: "127.0.0.1:8000"))
        #expect(AccessRule(token: nil, viewerToken: nil, origins: ["*"]).admits(origin: "https://b.example", host: nil))
    }
}
