import Testing

@testable import WebServer

@Suite("What waits for a WebSocket's handler")
struct WebSocketBacklogTests {
    @Test("Messages count from their arrival until the handler takes them")
    func counted() async {
        let (received, incoming) = AsyncStream<WebSocketMessage>.makeStream()
        let backlog = WebSocketBacklog()
        var messages = backlog.taking(received).makeAsyncIterator()
        #expect(backlog.add(5) == 5)
        incoming.yield(.text("h\u{E9}ll"))
        #expect(backlog.add(3) == 8)
        incoming.yield(.binary([1, 2, 3]))
        #expect(await messages.next(isolation: nil) == .text("h\u{E9}ll"))
        #expect(backlog.add(0) == 3)
        #expect(await messages.next(isolation: nil) == .binary([1, 2, 3]))
        #expect(backlog.add(0) == 0)
        incoming.finish()
        #expect(await messages.next(isolation: nil) == nil)
    }
}
