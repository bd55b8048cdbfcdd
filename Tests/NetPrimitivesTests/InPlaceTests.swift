import NetPrimitives
import Testing

// Two structs that differ in the field alone.
private struct Movable: ~Copyable {
    var numbers = InlineArray<64, UInt64>(repeating: 0)

    func address() -> UInt { withUnsafePointer(to: self) { UInt(bitPattern: $0) } }
    mutating func addresses() -> (own: UInt, seen: UInt) {
        let seen = address()
        return (withUnsafeMutablePointer(to: &self) { UInt(bitPattern: $0) }, seen)
    }
}

private struct Settled: ~Copyable {
    private let inPlace = InPlace()
    var numbers = InlineArray<64, UInt64>(repeating: 0)

    func address() -> UInt { withUnsafePointer(to: self) { UInt(bitPattern: $0) } }
    mutating func addresses() -> (own: UInt, seen: UInt) {
        let seen = address()
        return (withUnsafeMutablePointer(to: &self) { UInt(bitPattern: $0) }, seen)
    }
}

@Suite struct InPlaceTests {
    @Test func `a nonmutating method sees a struct with the field where it is`() {
        var settled = Settled()
        let (own, seen) = settled.addresses()
        #expect(own == seen)
    }

    @Test func `without the field the compiler copies, which is what the field is for`() {
        // When this fails, the compiler has learnt not to copy, and the field can go.
        var movable = Movable()
        let (own, seen) = movable.addresses()
        #expect(own != seen)
    }
}
