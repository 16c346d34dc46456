/// One phone of spoken text, in seconds from the first sample of its sound.
package struct PhoneInterval: Equatable, Sendable {
    /// A phone of the CMU set in lower case, `ah`, `sh`, or `pau` for a pause.
    package var phone: String
    package var start: Double
    package var end: Double

    package init(phone: String, start: Double, end: Double) {
        self.phone = phone
        self.start = start
        self.end = end
    }
}

/// The mouth over time: one target shape a phone, blended so that the lips glide and closures still close.
package struct VisemeTrack: Sendable, Equatable {
    struct Target: Sendable, Equatable {
        var time: Double
        var shape: MouthShape
    }
    private var targets: [Target] = []

    package init() {}

    /// `targets` in rising order of time.
    init(targets: [Target]) {
        self.targets = targets
    }

    package init(phones: [PhoneInterval]) {
        for interval in phones where interval.end > interval.start {
            let shape = Self.shape(of: interval.phone)
            if interval.phone == "pau" {
                // A pause is rest throughout, but for the glide into and out of it.
                let glide = min(0.06, (interval.end - interval.start) / 2)
                targets.append(Target(time: interval.start + glide, shape: shape))
                targets.append(Target(time: interval.end - glide, shape: shape))
            } else {
                targets.append(Target(time: (interval.start + interval.end) / 2, shape: shape))
            }
        }
    }

    /// The shape `time` seconds after the first sample.
    package func shape(at time: Double) -> MouthShape {
        var low = 0
        var high = targets.count
        while low < high {
            let middle = (low + high) / 2
            if targets[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return glideFromRest(to: time) }
        let before = targets[low - 1]
        guard low < targets.count else {
            // After the last phone the lips come to rest within a tenth of a second.
            let share = min(1, max(0, (time - before.time) / 0.1))
            return before.shape.blended(with: .rest, share: share)
        }
        let after = targets[low]
        let length = after.time - before.time
        guard length > 0 else { return after.shape }
        let linear = (time - before.time) / length
        return before.shape.blended(with: after.shape, share: linear * linear * (3 - 2 * linear))
    }

    private func glideFromRest(to time: Double) -> MouthShape {
        guard let first = targets.first else { return .rest }
        let share = min(1, max(0, 1 - (first.time - time) / 0.1))
        return MouthShape.rest.blended(with: first.shape, share: share)
    }

    /// The target of a phone of the CMU set; an unknown one opens the mouth a little.
    package static func shape(of phone: String) -> MouthShape {
        switch phone {
        case "pau": .rest
        case "aa", "ao": MouthShape(opening: 0.9, spread: -0.1, rounding: 0.2)
        case "ae": MouthShape(opening: 0.8, spread: 0.45)
        case "ah", "ax": MouthShape(opening: 0.55, spread: 0.05)
        case "aw": MouthShape(opening: 0.85, spread: 0, rounding: 0.35)
        case "ay": MouthShape(opening: 0.8, spread: 0.35)
        case "eh", "ey": MouthShape(opening: 0.55, spread: 0.5)
        case "ih", "ix": MouthShape(opening: 0.35, spread: 0.4)
        case "iy", "y": MouthShape(opening: 0.25, spread: 0.9)
        case "ow", "oy": MouthShape(opening: 0.6, rounding: 0.75)
        case "uh": MouthShape(opening: 0.35, rounding: 0.6)
        case "uw", "w": MouthShape(opening: 0.25, rounding: 1)
        case "er", "axr", "r": MouthShape(opening: 0.32, rounding: 0.45)
        case "m", "b", "p": MouthShape(opening: 0, spread: -0.1)
        case "f", "v": MouthShape(opening: 0.18, spread: 0.1, bite: 1)
        case "th", "dh": MouthShape(opening: 0.28, spread: 0.15, tongue: 1)
        case "l", "el": MouthShape(opening: 0.4, spread: 0.15, tongue: 0.8)
        case "t", "d", "n", "en", "dx": MouthShape(opening: 0.24, spread: 0.25, tongue: 0.35)
        case "s", "z": MouthShape(opening: 0.14, spread: 0.5)
        case "sh", "zh", "ch", "jh": MouthShape(opening: 0.25, rounding: 0.65)
        case "k", "g", "ng", "hh": MouthShape(opening: 0.32, spread: 0.1)
        default: MouthShape(opening: 0.3)
        }
    }
}
