internal import CWebSockets
internal import Core

/// Sends libwebsockets' own words to our log, instead of to standard error.
enum LWSLog {
    private static let logger = Logger("libwebsockets")

    static func install() {
        _ = isInstalled
    }

    /// Set once in the process: the library keeps it in a global.
    private static let isInstalled: Bool = {
        let levels = Int32(LLL_ERR) | Int32(LLL_WARN)
        unsafe lws_set_log_level(levels) { level, text in
            guard let text = unsafe text else { return }
            let line = unsafe String(cString: text).split(separator: "\n").joined(separator: " ")
            // Its errors are mostly a peer's doing: none of them is ours to act upon.
            if level == Int32(LLL_ERR) {
                LWSLog.logger.warning("library reports", ["text": .string(line)])
            } else {
                LWSLog.logger.debug("library reports", ["text": .string(line)])
            }
        }
        return true
    }()
}
