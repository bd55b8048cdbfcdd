// Large noncopyable structs that calls must not copy.

/// A field that keeps the struct around it where it is. Without it the compiler may load a noncopyable struct of any size
/// as a value: each call of a nonmutating method from a mutating one then copies all of it to the stack (2.6 kB per packet
/// and call for the TCP/IP stack). A struct with this field is only reached by its address. `InPlaceTests` measures that.
@frozen
public struct InPlace: ~Copyable, Sendable {
    /// Never instantiated.
    @usableFromInline final class Nothing: Sendable { @usableFromInline init() {} }

    // What is weakly referenced has to be found again by the runtime, so it cannot be loaded. It is nil for ever.
    @usableFromInline weak var nothing: Nothing?

    /// Makes the field.
    @inlinable public init() { nothing = nil }
}
