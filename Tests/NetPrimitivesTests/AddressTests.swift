import NetPrimitives
import Testing

@Suite struct AddressTextTests {
    @Test(arguments: [
        ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:db8::1", "2001:db8::1"),
        ("2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("fcff:a00:143:7a18:af52::1", "fcff:a00:143:7a18:af52::1"),
        ("::ffff:1.2.3.4", "::ffff:102:304"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("10.0.0.255", "10.0.0.255"),
        ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
    ])
    func `an address prints in its canonical form`(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.+4", "::1::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",
        ":1", "1:",
        "g::", "1:2:3:4:5:6:7:8::", ":::", "1.2.3.4::", "::1.2.3", "-1::",
    ])
    func `malformed text is no address`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `bytes and text agree for random addresses`() {
        var random = RandomSource(seed: 3)
        for _ in 0..<2000 {
            // Sparse groups, so that runs of zeros occur everywhere.
            var bytes = random.bytes(16)
            for index in 0..<8 where random.next(below: 2) == 0 {
                bytes[2 * index] = 0
                bytes[2 * index + 1] = 0
            }
            let address = IPAddress(bytes)
            #expect(address?.bytes == bytes)
            #expect(address.flatMap { IPAddress($0.description) } == address)
        }
    }

    @Test func `prefixes contain what they should`() {
        let prefix = IPPrefix("10.1.2.3/12")
        #expect(prefix?.network.description == "10.0.0.0/12")
        #expect(prefix?.contains(IPAddress(v4: 0x0a0f_ffff)) == true)
        #expect(prefix?.contains(IPAddress(v4: 0x0a10_0000)) == false)
        let six = IPPrefix("fd00:1:2:3::5/72")
        #expect(six?.contains(IPAddress("fd00:1:2:3:0f::1") ?? .anyIPv6) == true)
        #expect(six?.contains(IPAddress("fd00:1:2:3:0f00::1") ?? .anyIPv6) == false)
        #expect(IPPrefix("1.2.3.4/33") == nil)
        #expect(IPPrefix("0.0.0.0/0")?.contains(IPAddress(v4: 0xffff_ffff)) == true)
        #expect(IPPrefix("::/0")?.contains(IPAddress(v4: 1)) == false)
    }

    @Test func `endpoints parse both spellings`() {
        #expect(SocketEndpoint("1.2.3.4:80")?.description == "1.2.3.4:80")
        #expect(SocketEndpoint("1.2.3.4/9993")?.port == 9993)
        #expect(SocketEndpoint("[::1]:5")?.description == "[::1]:5")
        #expect(SocketEndpoint("::1/5")?.description == "[::1]:5")
        for bad in ["::1:5", "1.2.3.4", "1.2.3.4:70000", "x:1", "[::1]", ":", "/"] {
            #expect(SocketEndpoint(bad) == nil)
        }
    }

    @Test func `MAC addresses keep their bits`() {
        let address = MACAddress(0x3201_0203_04ff)
        #expect(address.description == "32:01:02:03:04:ff")
        #expect(MACAddress(address.bytes) == address)
        #expect(MACAddress(0x3333_0000_0001).isMulticast && !address.isMulticast && MACAddress.broadcast.isMulticast)
    }
}

@Suite struct TimeTests {
    @Test func `instants saturate at both ends`() {
        #expect(MonotonicInstant.zero + .seconds(-5) == .zero)
        #expect(MonotonicInstant.distantFuture + .seconds(5) == .distantFuture)
        let a = MonotonicInstant(nanoseconds: 10)
        let b = MonotonicInstant(nanoseconds: 25)
        #expect(b - a == .nanoseconds(15))
        #expect(a - b == .nanoseconds(-15))
        #expect(a + (b - a) == b)
    }
}
