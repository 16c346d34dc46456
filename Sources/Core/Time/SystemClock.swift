internal import Glibc

/// The machine's clocks. Only drivers, never protocol cores, read them.
package enum SystemClock {
    /// The monotonic clock (`CLOCK_MONOTONIC`); about 40 ns a reading.
    package static func now() -> Instant {
        Instant(nanoseconds: read(CLOCK_MONOTONIC))
    }

    /// The wall clock (`CLOCK_REALTIME`); it may jump.
    package static func wallTime() -> WallTime {
        WallTime(nanosecondsSince1970: read(CLOCK_REALTIME))
    }

    /// CPU time that this process has used, user and system together (`CLOCK_PROCESS_CPUTIME_ID`).
    package static func processCPUTime() -> Duration {
        .nanoseconds(read(CLOCK_PROCESS_CPUTIME_ID))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// A point on the wall clock.
package struct WallTime: Comparable, Hashable, Sendable {
    package var nanosecondsSince1970: Int64

    package init(nanosecondsSince1970: Int64) {
        self.nanosecondsSince1970 = nanosecondsSince1970
    }

    package init(secondsSince1970: Int64) {
        self.nanosecondsSince1970 = secondsSince1970 * 1_000_000_000
    }

    package var secondsSince1970: Int64 { nanosecondsSince1970 / 1_000_000_000 }

    /// The 64-bit NTP timestamp: seconds since 1900 and a binary fraction ([RFC 3550 §4](https://www.rfc-editor.org/rfc/rfc3550#section-4)).
    package var ntpTimestamp: UInt64 {
        let seconds = UInt64(bitPattern: nanosecondsSince1970 / 1_000_000_000) &+ 2_208_988_800
        let fraction = (UInt64(nanosecondsSince1970 % 1_000_000_000) << 32) / 1_000_000_000
        return (seconds << 32) | fraction
    }

    /// ISO 8601 in UTC with milliseconds, `2026-01-31T12:34:56.789Z`.
    package var iso8601: String {
        var seconds = time_t(secondsSince1970)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        func pad(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let milliseconds = Int(nanosecondsSince1970 / 1_000_000 % 1000)
        let (year, month, day) = unsafe (Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday))
        let (hour, minute, second) = unsafe (Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec))
        let date = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))"
        let time = "\(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2))"
        return "\(date)T\(time).\(pad(milliseconds, 3))Z"
    }

    package static func < (left: WallTime, right: WallTime) -> Bool {
        left.nanosecondsSince1970 < right.nanosecondsSince1970
    }

    package static func + (time: WallTime, duration: Duration) -> WallTime {
        WallTime(nanosecondsSince1970: time.nanosecondsSince1970 &+ duration.nanoseconds)
    }

    package static func - (left: WallTime, right: WallTime) -> Duration {
        .nanoseconds(left.nanosecondsSince1970 &- right.nanosecondsSince1970)
    }
}
