// An evaluator of rules that shares nothing with the product's: it reads tables as they are sent and frames as lists of bytes,
// one rule after the other as the written specification has it, and remembers nothing but a set and two notes.

import NetPrimitives
import ZeroTierWire

/// A frame, the two members, and what is known of each.
struct SlowScene {
    var isInbound = false
    var source: UInt64 = 0
    var destination: UInt64 = 0
    var myself: UInt64 = 0
    var sourceMAC: UInt64 = 0
    var destinationMAC: UInt64 = 0
    var etherType = 0
    var bytes: [UInt8] = []
    var myTags: [UInt32: UInt32] = [:]
    /// Nil if there is no other member.
    var theirTags: [UInt32: UInt32]?
    var myAddresses: [[UInt8]] = []
    var theirAddresses: [[UInt8]] = []
    var unknownMatches = false
}

/// What a table says.
struct SlowVerdict: Equatable {
    var result = "none"
    var rule = -1
    var destination: UInt64
    var copy: [UInt64] = []
}

struct SlowEvaluator {
    private enum Truth { case yes, no, surelyYes, surelyNo }

    let scene: SlowScene
    private var superAccept = false
    private var skipDrop = false

    init(_ scene: SlowScene) { self.scene = scene }

    private func number(_ offset: Int, _ count: Int, in bytes: [UInt8]) -> UInt64 {
        var value: UInt64 = 0
        for place in offset..<(offset + count) { value = value * 256 + UInt64(place < bytes.count ? bytes[place] : 0) }
        return value
    }

    /// `wire`: the table as it is sent.
    mutating func evaluate(_ wire: [UInt8]) -> SlowVerdict {
        var verdict = SlowVerdict(destination: scene.destination)
        var set = true
        var position = 0
        var index = -1
        while position < wire.count {
            let type = wire[position]
            let field = Array(wire[(position + 2)..<(position + 2 + Int(wire[position + 1]))])
            position += 2 + field.count
            index += 1
            let kind = Int(type % 64)
            if kind < 16 {
                if !set {
                    let target = number(0, 8, in: field) % (1 << 40)
                    if scene.isInbound, kind == 2 || kind == 3 || kind == 4, target == scene.myself {
                        superAccept = true
                    }
                    set = true
                } else if act(kind, field, &verdict) {
                    verdict.rule = index
                    return verdict
                }
                continue
            }
            let (isNegated, isAlternative) = (type >= 128, type / 64 % 2 == 1)
            if !set && !isAlternative { continue }
            let holds: Bool
            switch match(kind, field) {
            case .yes: holds = !isNegated
            case .no: holds = isNegated
            case .surelyYes: holds = true
            case .surelyNo: holds = false
            }
            set = isAlternative ? (set || holds) : (set && holds)
        }
        return verdict
    }

    // True if the table ends here.
    private mutating func act(_ kind: Int, _ field: [UInt8], _ verdict: inout SlowVerdict) -> Bool {
        switch kind {
        case 0:
            if skipDrop {
                skipDrop = false
                return false
            }
            verdict.result = "drop"
            return true
        case 1, 6:
            verdict.result = kind == 1 && superAccept ? "super" : "accept"
            return true
        case 5: return true
        case 2, 3, 4:
            let target = number(0, 8, in: field) % (1 << 40)
            if target == scene.source { return false }
            if target == scene.myself {
                if scene.isInbound { verdict.result = "super" }
                return scene.isInbound
            }
            if target == verdict.destination { return false }
            if kind == 4 {
                verdict.destination = target
                verdict.result = "redirect"
                return true
            }
            let wanted = number(12, 2, in: field)
            let all = UInt64(scene.bytes.count)
            verdict.copy = [target, wanted == 0 ? all : min(all, wanted), kind == 3 ? 1 : 0]
            return false
        default: return false
        }
    }

    // MARK: Packets

    private var is4: Bool { scene.etherType == 0x0800 && scene.bytes.count >= 20 }
    private var is6: Bool { scene.etherType == 0x86dd && scene.bytes.count >= 40 }
    private var headerLength: Int { Int(scene.bytes[0] % 16) * 4 }

    // Protocol and place of what follows the headers of IPv6.
    private var upper: (proto: UInt8, place: Int)? {
        guard is6 else { return nil }
        var (proto, place) = (scene.bytes[6], 40)
        while [0, 43, 60, 135].contains(proto) {
            guard place + 8 <= scene.bytes.count else { return nil }
            proto = scene.bytes[place]
            place += Int(scene.bytes[place + 1]) * 8 + 8
            guard place <= scene.bytes.count else { return nil }
        }
        return (proto, place)
    }

    private func truth(_ value: Bool) -> Truth { value ? .yes : .no }

    private mutating func match(_ kind: Int, _ field: [UInt8]) -> Truth {
        let bytes = scene.bytes
        switch kind {
        case 24: return truth(number(0, 5, in: field) == scene.source)
        case 25: return truth(number(0, 5, in: field) == scene.destination)
        case 26, 27, 28: return truth(field.allSatisfy { $0 == 0 })
        case 29: return truth(number(0, 6, in: field) == scene.sourceMAC)
        case 30: return truth(number(0, 6, in: field) == scene.destinationMAC)
        case 31, 32:
            guard is4 else { return .surelyNo }
            return truth(
                samePrefix(Array(bytes[(kind == 31 ? 12 : 16)...].prefix(4)), Array(field[..<4]), Int(field[4])))
        case 33, 34:
            guard is6 else { return .surelyNo }
            let address = Array(bytes[(kind == 33 ? 8 : 24)...].prefix(16))
            let isMasked = bits(Array(field[..<16])).dropFirst(Int(field[16])).allSatisfy { !$0 }
            return truth(isMasked && samePrefix(address, Array(field[..<16]), Int(field[16])))
        case 35:
            guard is4 || is6 else { return .surelyNo }
            let value = is4 ? bytes[1] : bytes[0] % 16 * 16 + bytes[1] / 16
            return truth((field[1]...max(field[1], field[2])).contains(value & field[0]) && field[1] <= field[2])
        case 36:
            if is4 { return truth(bytes[9] == field[0]) }
            return upper.map { truth($0.proto == field[0]) } ?? .surelyNo
        case 37: return truth(Int(number(0, 2, in: field)) == scene.etherType)
        case 38: return icmp(field)
        case 39, 40: return port(kind == 39 ? 0 : 2, Int(number(0, 2, in: field)), Int(number(2, 2, in: field)))
        case 41: return truth(characteristics & number(0, 8, in: field) != 0)
        case 42:
            let length = UInt64(bytes.count)
            return truth(number(0, 2, in: field) <= length && length <= number(2, 2, in: field))
        case 51: return integer(field)
        case 44...50: return tag(kind, UInt32(number(0, 4, in: field)), UInt32(number(4, 4, in: field)))
        default: return truth(scene.unknownMatches)
        }
    }

    private func bits(_ bytes: [UInt8]) -> [Bool] {
        bytes.flatMap { byte in (0..<8).map { byte & (0x80 >> UInt8($0)) != 0 } }
    }

    private func samePrefix(_ left: [UInt8], _ right: [UInt8], _ length: Int) -> Bool {
        bits(left).prefix(length) == bits(right).prefix(length)
    }

    private func icmp(_ field: [UInt8]) -> Truth {
        var place: Int?
        if is4, scene.bytes[9] == 1, scene.bytes.count >= headerLength + 2 { place = headerLength }
        if let upper, upper.proto == 58, scene.bytes.count >= upper.place + 2 { place = upper.place }
        guard let place else { return .surelyNo }
        return truth(scene.bytes[place] == field[0] && (field[2] % 2 == 0 || scene.bytes[place + 1] == field[1]))
    }

    private func port(_ within: Int, _ first: Int, _ last: Int) -> Truth {
        let known: Set<UInt8> = [6, 17, 132, 136]
        var (proto, place) = (UInt8(0), 0)
        if is4 {
            (proto, place) = (scene.bytes[9], headerLength)
        } else if let upper {
            (proto, place) = upper
        } else {
            return is4 ? .no : .surelyNo
        }
        guard known.contains(proto), scene.bytes.count > place + 4 else { return .no }
        let port = Int(number(place + within, 2, in: scene.bytes))
        return truth((is4 || port > 0) && first <= port && port <= last)
    }

    private var characteristics: UInt64 {
        var result: UInt64 = 0
        if scene.isInbound { result += 1 << 63 }
        if scene.destinationMAC >> 40 & 1 == 1 { result += 1 << 62 }
        if scene.destinationMAC == 0xffff_ffff_ffff { result += 1 << 61 }
        var owner: [UInt8]?
        if is4 { owner = Array(scene.bytes[12..<16]) }
        if is6 { owner = Array(scene.bytes[8..<24]) }
        if scene.etherType == 0x0806, scene.bytes.count >= 28 { owner = Array(scene.bytes[14..<18]) }
        let owned = scene.isInbound ? (scene.theirTags == nil ? [] : scene.theirAddresses) : scene.myAddresses
        if let owner, owned.contains(owner) { result += 1 << 60 }
        var tcp: Int?
        if is4, scene.bytes[9] == 6, scene.bytes.count > headerLength + 13 { tcp = headerLength }
        if let upper, upper.proto == 6, scene.bytes.count > upper.place + 14 { tcp = upper.place }
        if let tcp { result += number(tcp + 12, 2, in: scene.bytes) % 4096 }
        return result
    }

    private func integer(_ field: [UInt8]) -> Truth {
        let (start, end) = (number(0, 8, in: field), number(8, 8, in: field))
        let index = Int(number(16, 2, in: field))
        let width = Int(field[18] % 64) + 1
        let count = (width + 7) / 8
        var value: UInt64 = 0
        if field[18] >= 128 {
            if index + count <= scene.bytes.count {
                let read = Array(scene.bytes[index..<(index + count)].reversed())
                value = (number(0, count, in: read) << UInt64(64 - 8 * count)) >> UInt64(64 - width)
            }
        } else if index + 8 <= scene.bytes.count {
            value = number(index + 8 - count, count, in: scene.bytes)
            if width < 64 { value %= 1 << UInt64(width) }
        }
        return truth(value >= start && value <= start &+ (end &- start) % (1 << 32))
    }

    private mutating func tag(_ kind: Int, _ id: UInt32, _ value: UInt32) -> Truth {
        if kind >= 49 {
            if superAccept {
                skipDrop = true
                return .surelyYes
            }
            if (kind == 49) == scene.isInbound {
                if let theirs = scene.theirTags?[id] { return truth(theirs == value) }
                guard kind == 50 else { return .surelyNo }
                skipDrop = true
                return .surelyYes
            }
            return scene.myTags[id].map { truth($0 == value) } ?? .surelyNo
        }
        guard let mine = scene.myTags[id] else { return .surelyNo }
        guard let theirs = scene.theirTags?[id] else {
            guard !scene.isInbound || superAccept else { return .surelyNo }
            skipDrop = true
            return .surelyYes
        }
        switch kind {
        case 44: return truth(max(mine, theirs) - min(mine, theirs) <= value)
        case 45: return truth(mine & theirs == value)
        case 46: return truth(mine | theirs == value)
        case 47: return truth(mine ^ theirs == value)
        default: return truth(mine == value && theirs == value)
        }
    }
}
