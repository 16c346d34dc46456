import Core
import TestSupport
import Testing

@testable import Signaling

@Suite("Sessions")
struct SessionTableTests {
    private let request = SessionRequest(tutorID: 1, studentID: 2, knowledgeBaseID: "k")
    private let wall = WallTime(secondsSince1970: 1_800_000_000)

    @Test("No more than the maximum exist, and an ended one makes room")
    func maximum() {
        let clock = ManualClock()
        var table = SessionTable(maximum: 2, timeout: .seconds(60), random: .seeded(1))
        let first = table.create(request, now: clock.now, wallTime: wall)
        #expect(table.create(request, now: clock.now, wallTime: wall) != nil)
        #expect(table.create(request, now: clock.now, wallTime: wall) == nil)
        #expect(first.map { table.remove($0.id) } == true)
        #expect(first.map { table.remove($0.id) } == false)
        #expect(table.create(request, now: clock.now, wallTime: wall) != nil)
    }

    @Test("Only its own token opens a session")
    func tokens() throws {
        var table = SessionTable(maximum: 9, timeout: .seconds(60), random: .seeded(1))
        let oneMade = table.create(request, now: .zero, wallTime: wall)
        let one = try #require(oneMade)
        let twoMade = table.create(request, now: .zero, wallTime: wall)
        let two = try #require(twoMade)
        #expect(one.token != two.token)
        #expect(one.token.utf8.count >= 43)
        #expect(table.authenticate(one.id, token: one.token) == one)
        #expect(table.authenticate(one.id, token: two.token) == nil)
        #expect(table.authenticate(one.id, token: "") == nil)
        #expect(table.authenticate(SessionID("none"), token: one.token) == nil)
    }

    @Test("A session that nobody uses ends after the timeout, one in use does not")
    func timeout() throws {
        var clock = ManualClock()
        var table = SessionTable(maximum: 9, timeout: .seconds(60), random: .seeded(1))
        let idleMade = table.create(request, now: clock.now, wallTime: wall)
        let idle = try #require(idleMade)
        let usedMade = table.create(request, now: clock.now, wallTime: wall)
        let used = try #require(usedMade)
        clock.advance(by: .seconds(59))
        #expect(table.expired(now: clock.now).isEmpty)
        table.touch(used.id, now: clock.now, wallTime: wall)
        clock.advance(by: .seconds(1))
        #expect(table.expired(now: clock.now) == [idle.id])
    }

    @Test("A session tells everything about itself but its token")
    func json() throws {
        var table = SessionTable(maximum: 9, timeout: .seconds(60), random: .seeded(1))
        let sessionMade = table.create(request, now: .zero, wallTime: wall)
        let session = try #require(sessionMade)
        #expect(
            session.json == [
                "session_id": .string(session.id.value), "tutor_id": 1, "student_id": 2, "kb_id": "k",
                "status": "active", "created_at": "2027-01-15T08:00:00.000Z",
                "last_activity": "2027-01-15T08:00:00.000Z",
            ])
    }

    @Test("Session ids are random version 4 UUIDs")
    func uuid() {
        let text = RandomSource.seeded(3).uuid()
        #expect(text.split(separator: "-").map(\.count) == [8, 4, 4, 4, 12])
        #expect(text.dropFirst(14).first == "4")
        #expect("89ab".contains(text.dropFirst(19).first ?? " "))
    }

    @Test("A body without the needed fields says which")
    func bodies() {
        func detail(_ body: String) -> RequestError? {
            do throws(RequestError) {
                _ = try SessionRequest(body: Array(body.utf8))
                return nil
            } catch {
                return error
            }
        }
        #expect(detail(#"{"tutor_id":1,"student_id":2}"#) == nil)
        #expect(detail(#"{"tutor_id":"1","student_id":2,"kb_id":null}"#) == nil)
        #expect(detail("nonsense")?.status == 422)
        #expect(detail(#"{"student_id":2}"#)?.detail == "tutor_id must be a whole number")
        #expect(detail(#"{"tutor_id":1,"student_id":"x"}"#)?.detail == "student_id must be a whole number")
        #expect(detail(#"{"tutor_id":1,"student_id":2,"kb_id":3}"#)?.status == 422)
    }
}
