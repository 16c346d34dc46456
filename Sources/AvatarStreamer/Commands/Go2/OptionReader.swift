/// Takes a command's arguments one by one; `--name=value` is `--name value`.
struct OptionReader {
    /// What is wrong with the arguments, in words.
    struct Misuse: Error, Equatable {
        var reason: String

        init(_ reason: String) {
            self.reason = reason
        }
    }

    let verb: String
    private var rest: ArraySlice<String>
    private var current = ""
    /// The value that was written behind `=`, until somebody takes it.
    private var attached: String?

    init(verb: String, _ arguments: ArraySlice<String>) {
        self.verb = verb
        rest = arguments
    }

    mutating func next() throws(Misuse) -> String? {
        guard attached == nil else { throw Misuse("\(verb): \(current) takes no value") }
        guard let argument = rest.popFirst() else { return nil }
        current = argument
        if argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") {
            current = String(argument[..<equals])
            attached = String(argument[argument.index(after: equals)...])
        }
        return current
    }

    mutating func value(_ what: String, where isValid: (String) -> Bool) throws(Misuse) -> String {
        guard let value = attached ?? rest.popFirst(), isValid(value) else {
            throw Misuse("\(verb): \(current) needs \(what)")
        }
        attached = nil
        return value
    }

    mutating func number(_ range: ClosedRange<Int>) throws(Misuse) -> Int {
        let what = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        let text = try value(what) { Int($0).map(range.contains) ?? false }
        return Int(text) ?? range.lowerBound
    }

    func unknown() -> Misuse { Misuse("\(verb) does not know \(current)") }

    mutating func end() throws(Misuse) {
        if try next() != nil { throw unknown() }
    }
}
