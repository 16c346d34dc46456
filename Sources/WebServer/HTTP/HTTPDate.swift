internal import Glibc

/// The date format of HTTP, `Sun, 06 Nov 1994 08:49:37 GMT`.
/// - SeeAlso: [RFC 9110 §5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)
enum HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func string(_ secondsSince1970: Int64) -> String {
        var seconds = time_t(secondsSince1970)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        let (weekday, day, month) = unsafe (Int(parts.tm_wday), Int(parts.tm_mday), Int(parts.tm_mon))
        let (year, hour, minute, second) = unsafe (
            Int(parts.tm_year) + 1900, Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec)
        )
        let date = "\(days[weekday]), \(twoDigits(day)) \(months[month]) \(year)"
        return "\(date) \(twoDigits(hour)):\(twoDigits(minute)):\(twoDigits(second)) GMT"
    }

    private static func twoDigits(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
}
