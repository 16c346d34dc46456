package import Core

extension JSONValue {
    /// A number of any spelling that is one.
    package var finiteNumber: Double? {
        let number: Double? =
            switch self {
            case .integer(let whole): Double(whole)
            case .number(let number): number
            case .string(let text): text.utf8.count <= 64 ? Double(text) : nil
            case .null, .boolean, .array, .object: nil
            }
        guard let number, number.isFinite else { return nil }
        return number
    }
}
