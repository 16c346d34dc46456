internal import CYAML

/// Reads one YAML document through libyaml into nodes that know their lines.
///
/// A configuration file needs no anchors, aliases or tags, so they are refused: with them a short text can unfold into
/// gigabytes. Depth, length and number of values are limited as well.
@safe struct YAMLParser: ~Copyable {
    /// Bytes.
    static let maximumLength = 1 << 20
    static let maximumDepth = 16
    static let maximumValues = 10_000

    // Kept behind a pointer: libyaml's parser points into itself and must not move.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private var valueCount = 0

    /// The document's root; an empty text is an empty mapping.
    static func parse(_ text: [UInt8]) throws(YAMLParseError) -> YAMLNode {
        guard text.count <= maximumLength else {
            throw YAMLParseError(
                code: .tooLong, line: 1, found: "\(text.count) bytes", expected: "at most \(maximumLength) bytes")
        }
        var parser = YAMLParser()
        // libyaml reads straight from the array, which stays in place until the closure ends.
        let result: Result<YAMLNode, YAMLParseError> = unsafe text.withUnsafeBufferPointer { buffer in
            unsafe yaml_parser_set_input_string(parser.parser, buffer.baseAddress, buffer.count)
            return Result { () throws(YAMLParseError) -> YAMLNode in try parser.document() }
        }
        return try result.get()
    }

    private init() {
        unsafe parser = .allocate(capacity: 1)
        unsafe parser.initialize(to: yaml_parser_t())
        let status = unsafe yaml_parser_initialize(parser)
        precondition(status == 1, "libyaml fails here only where memory is exhausted")
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
    }

    /// One libyaml event as a value; libyaml's own copy is freed at once.
    private enum Event {
        case start, end, documentStart, documentEnd
        case scalar(String, isPlain: Bool)
        case sequenceStart, sequenceEnd, mappingStart, mappingEnd
    }

    private mutating func document() throws(YAMLParseError) -> YAMLNode {
        var root: YAMLNode?
        while true {
            let (event, line) = try next()
            switch event {
            case .start, .documentEnd: continue
            case .end: return root ?? YAMLNode(content: .mapping([]), line: 1)
            case .documentStart:
                guard root == nil else {
                    throw YAMLParseError(
                        code: .severalDocuments, line: line, found: "a second document", expected: "one document")
                }
            case .scalar, .sequenceStart, .mappingStart:
                root = try node(event, line: line, depth: 0)
            case .sequenceEnd, .mappingEnd:
                throw YAMLParseError(code: .syntax, line: line, found: "an end", expected: "a value")
            }
        }
    }

    private mutating func node(_ event: Event, line: Int, depth: Int) throws(YAMLParseError) -> YAMLNode {
        guard depth < Self.maximumDepth else {
            throw YAMLParseError(
                code: .tooDeep, line: line, found: "a value \(depth) levels deep",
                expected: "at most \(Self.maximumDepth) levels")
        }
        valueCount += 1
        guard valueCount <= Self.maximumValues else {
            throw YAMLParseError(
                code: .tooManyValues, line: line, found: "value number \(valueCount)",
                expected: "at most \(Self.maximumValues) values")
        }
        switch event {
        case .scalar(let text, let isPlain):
            return YAMLNode(content: .scalar(text, isPlain: isPlain), line: line)
        case .sequenceStart:
            var items: [YAMLNode] = []
            while true {
                let (event, itemLine) = try next()
                if case .sequenceEnd = event { return YAMLNode(content: .sequence(items), line: line) }
                items.append(try node(event, line: itemLine, depth: depth + 1))
            }
        case .mappingStart:
            return YAMLNode(content: .mapping(try entries(depth: depth)), line: line)
        case .start, .end, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
            throw YAMLParseError(code: .syntax, line: line, found: "the end", expected: "a value")
        }
    }

    private mutating func entries(depth: Int) throws(YAMLParseError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var seen: Set<String> = []
        while true {
            let (event, line) = try next()
            if case .mappingEnd = event { return entries }
            guard case .scalar(let key, _) = event else {
                throw YAMLParseError(code: .keyIsNotText, line: line, found: "a list or section", expected: "a key")
            }
            guard seen.insert(key).inserted else {
                throw YAMLParseError(
                    code: .duplicateKey, line: line, found: "\"\(key.prefix(60))\" a second time",
                    expected: "each key once")
            }
            let (value, valueLine) = try next()
            entries.append(
                YAMLNode.Entry(key: key, line: line, value: try node(value, line: valueLine, depth: depth + 1)))
        }
    }

    private mutating func next() throws(YAMLParseError) -> (Event, line: Int) {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else {
            let line = unsafe Int(clamping: max(parser.pointee.problem_mark.line, parser.pointee.context_mark.line)) + 1
            let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "unreadable text"
            throw YAMLParseError(
                code: .syntax, line: line, found: "text that is no YAML (\(problem))", expected: "YAML")
        }
        defer { unsafe yaml_event_delete(&event) }
        let line = unsafe Int(clamping: event.start_mark.line) + 1
        switch unsafe event.type {
        case YAML_STREAM_START_EVENT: return (.start, line)
        case YAML_DOCUMENT_START_EVENT: return (.documentStart, line)
        case YAML_DOCUMENT_END_EVENT: return (.documentEnd, line)
        case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, line)
        case YAML_MAPPING_END_EVENT: return (.mappingEnd, line)
        case YAML_ALIAS_EVENT:
            throw YAMLParseError(
                code: .anchor, line: line, found: "an alias", expected: "the value itself: aliases are not supported")
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            try unsafe refuse(anchor: scalar.anchor, tag: scalar.tag, line: line)
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
            return (.scalar(unsafe String(decoding: bytes, as: UTF8.self), isPlain: isPlain), line)
        case YAML_SEQUENCE_START_EVENT:
            let start = unsafe event.data.sequence_start
            try unsafe refuse(anchor: start.anchor, tag: start.tag, line: line)
            return (.sequenceStart, line)
        case YAML_MAPPING_START_EVENT:
            let start = unsafe event.data.mapping_start
            try unsafe refuse(anchor: start.anchor, tag: start.tag, line: line)
            return (.mappingStart, line)
        default: return (.end, line)
        }
    }

    private func refuse(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, line: Int
    ) throws(YAMLParseError) {
        guard unsafe anchor == nil else {
            throw YAMLParseError(
                code: .anchor, line: line, found: "an anchor", expected: "a plain value: anchors are not supported")
        }
        guard unsafe tag == nil else {
            throw YAMLParseError(
                code: .tag, line: line, found: "a tag", expected: "a plain value: tags are not supported")
        }
    }
}
