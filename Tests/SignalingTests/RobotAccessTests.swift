import Core
import Testing

@testable import Signaling

@Suite struct RobotAccessTests {
    private static let tokens = [
        AccessToken(name: "all", token: "all-drive", scope: .drive),
        AccessToken(name: "dog", token: "dog-read", robots: ["dog"], scope: .read),
        AccessToken(name: "watch", token: "all-watch", scope: .watch),
    ]

    private static func access(_ exposure: RobotExposure) -> RobotAccess {
        RobotAccess(
            exposures: ["dog": exposure, "cat": exposure], tokens: tokens, managementToken: "management")
    }

    private static func exposure(_ scope: RobotScope?, drives: Bool = false) -> RobotExposure {
        var exposure = RobotExposure()
        exposure.publicScope = scope
        exposure.drivesWithoutToken = drives
        return exposure
    }

    /// What each token may with each robot, of each exposure: nil for nothing.
    @Test(
        "a token reaches as far as its scope, or as far as anybody does",
        arguments: [
            // (exposure, token, robot, scope)
            (exposure(nil), nil, "dog", nil), (exposure(.watch), nil, "dog", .watch),
            (exposure(.read), nil, "dog", .read), (exposure(.drive), nil, "dog", .read),
            (exposure(nil, drives: true), nil, "dog", .drive), (exposure(.watch), "", "dog", .watch),
            (exposure(nil), "all-drive", "dog", .drive), (exposure(nil), "all-drive", "cat", .drive),
            (exposure(nil), "dog-read", "dog", .read), (exposure(nil), "dog-read", "cat", nil),
            (exposure(.watch), "dog-read", "cat", .watch), (exposure(.read), "all-watch", "dog", .read),
            (exposure(nil), "all-watch", "dog", .watch), (exposure(nil), "management", "cat", .drive),
        ] as [(RobotExposure, String?, String, RobotScope?)])
    func matrix(exposure: RobotExposure, token: String?, robot: String, scope: RobotScope?) throws {
        #expect(try Self.access(exposure).scope(of: robot, token: token) == scope)
    }

    @Test("each scope holds the ones before it", arguments: RobotScope.allCases, RobotScope.allCases)
    func scopesHoldEachOther(granted: RobotScope, needed: RobotScope) throws {
        let access = RobotAccess(
            exposures: ["dog": Self.exposure(nil)], tokens: [AccessToken(name: "t", token: "t", scope: granted)])
        let isAllowed = (try? access.require(needed, of: "dog", token: "t")) != nil
        let order: [RobotScope] = [.watch, .read, .drive]
        #expect(isAllowed == (try #require(order.firstIndex(of: granted)) >= #require(order.firstIndex(of: needed))))
    }

    @Test("a wrong token is refused even where none is needed")
    func wrongToken() {
        let access = Self.access(Self.exposure(.read, drives: true))
        for token in ["wrong", "all-driv", "all-drivee", "management ", "ALL-DRIVE"] {
            #expect(
                code { () throws(RobotRefusal) in try access.require(.watch, of: "dog", token: token) } == .tokenWrong)
        }
    }

    @Test("who may not go so far is told what would let it")
    func refusals() {
        let access = Self.access(Self.exposure(.watch))
        #expect(code { () throws(RobotRefusal) in try access.require(.read, of: "dog", token: nil) } == .tokenRequired)
        #expect(code { () throws(RobotRefusal) in try access.require(.drive, of: "dog", token: "dog-read") } == .scope)
        #expect(code { () throws(RobotRefusal) in try access.require(.watch, of: "fox", token: nil) } == .noSuchRobot)
        #expect(
            code { () throws(RobotRefusal) in try access.require(.watch, of: "", token: "management") } == .noSuchRobot)
        #expect(access.refusal(.drive, of: "dog", hasToken: false).detail.contains("drive_without_token"))
    }

    @Test("no token is told in words")
    func tokensAreNotShown() {
        #expect(!"\(Self.tokens)".contains("all-drive"))
    }

    private func code(_ act: () throws(RobotRefusal) -> RobotScope) -> RobotRefusal.Code? {
        do throws(RobotRefusal) {
            _ = try act()
            return nil
        } catch {
            return error.code
        }
    }
}
