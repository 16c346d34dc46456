internal import Core

/// Who may do what with which robot: the configuration's tokens and exposures, as one value.
package struct RobotAccess: Sendable {
    /// By the robots' names; others do not exist.
    package var exposures: [String: RobotExposure]
    package var tokens: [AccessToken]
    /// Admits to everything; nil where there is none.
    package var managementToken: String?

    package init(
        exposures: [String: RobotExposure] = [:], tokens: [AccessToken] = [], managementToken: String? = nil
    ) {
        self.exposures = exposures
        self.tokens = tokens
        self.managementToken = managementToken
    }

    /// How far a client with that token may go with a robot; nil for not at all.
    ///
    /// A token that is none is refused even where none is needed.
    package func scope(of robot: String, token: String?) throws(RobotRefusal) -> RobotScope? {
        let credential = try credential(of: token)
        guard let exposure = exposures[robot] else { throw .noSuchRobot(robot) }
        switch credential {
        case .none: return exposure.scopeWithoutToken
        case .management: return .drive
        case .access(let access):
            guard access.robots?.contains(robot) ?? true else { return exposure.scopeWithoutToken }
            return max(access.scope, exposure.scopeWithoutToken ?? .watch)
        }
    }

    /// Throws where the client may not go so far.
    package func require(
        _ needed: RobotScope, of robot: String, token: String?
    ) throws(RobotRefusal) -> RobotScope {
        guard let scope = try scope(of: robot, token: token), scope >= needed else {
            throw refusal(needed, of: robot, hasToken: token != nil)
        }
        return scope
    }

    /// Why a client may not go so far, and what would let it.
    func refusal(_ needed: RobotScope, of robot: String, hasToken: Bool) -> RobotRefusal {
        let remedy =
            switch needed {
            case .watch, .read: "or set robots.\(robot).public to \(needed.rawValue)"
            case .drive: "or set robots.\(robot).drive_without_token, where everybody may drive"
            }
        guard hasToken else {
            return RobotRefusal(
                .tokenRequired,
                "Robot \(robot) needs a token of scope \(needed.rawValue) (make one in access, \(remedy))")
        }
        return RobotRefusal(
            .scope, "The token does not reach so far: robot \(robot) needs scope \(needed.rawValue) (see access)")
    }

    private enum Credential {
        case none, management
        case access(AccessToken)
    }

    private func credential(of token: String?) throws(RobotRefusal) -> Credential {
        guard let token, !token.isEmpty else { return .none }
        let given = Array(token.utf8)
        var found: Credential?
        // All are compared, so that the time does not tell which one came close.
        for access in tokens where constantTimeEquals(Array(access.token.utf8), given) { found = .access(access) }
        if let managementToken, constantTimeEquals(Array(managementToken.utf8), given) { found = .management }
        guard let found else { throw RobotRefusal(.tokenWrong, "The token is wrong") }
        return found
    }
}
