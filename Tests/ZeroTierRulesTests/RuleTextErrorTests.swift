// Every error of the text language, with its place.

import Testing
import ZeroTierWire

@testable import ZeroTierRules

@Suite struct RuleTextErrorTests {
    private func problem(_ text: String) -> String? {
        do throws(RuleTextError) {
            _ = try compile(text)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        // Statements
        ("drop", "line 1, column 1: the text ends after this; a semicolon is missing"),
        ("accept;\n;", "line 2, column 1: there is no statement before this semicolon"),
        (
            "acept;",
            "line 1, column 1: a statement begins with one of drop, accept, tee, watch, redirect, break, priority, include, macro, tag, cap, not acept; did you mean accept?"
        ),
        ("ethertype ipv4;", "line 1, column 1: ethertype belongs behind an action, such as: drop ethertype ...;"),
        ("not drop;", "line 1, column 1: not belongs behind an action, such as: drop not ...;"),
        (
            "drop ethertype arp\naccept;",
            "line 2, column 1: accept begins a statement: the one before it ends with a semicolon"
        ),
        ("drop ethertyp arp;", "line 1, column 6: ethertyp is no match; did you mean ethertype?"),
        (
            "drop (x);",
            "line 1, column 6: ( is no match: there are chr, dport, ethertype, framesize, icmp, ipdest, ipprotocol, ipsrc, iptos, macdest, macsrc, random, sport, tand, tdiff, teq, tor, treq, tseq, txor, vlan, vlandei, vlanpcp, ztdest, ztsrc, and, or, not"
        ),
        ("drop and or random 1;", "line 1, column 10: a match stands here, not another or: [and|or] [not] match"),
        ("drop random 1 or;", "line 1, column 17: a match after or is missing before ;"),
        ("drop not;", "line 1, column 9: a match after not is missing before ;"),
        // Operands
        ("drop ethertype;", "line 1, column 15: the operand of ethertype is missing before ;"),
        ("drop ethertype", "line 1, column 6: the text ends after this; the operand of ethertype is missing"),
        (
            "drop ethertype ipv5;",
            "line 1, column 16: the operand of ethertype is a number from 0 to 65535, or one of ipv4, arp, wol, rarp, ipv6, atalk, aarp, ipx_a, ipx_b; not ipv5; did you mean ipv4?"
        ),
        (
            "drop ethertype 65536;",
            "line 1, column 16: the operand of ethertype is a number from 0 to 65535, or one of ipv4, arp, wol, rarp, ipv6, atalk, aarp, ipx_a, ipx_b; not 65536"
        ),
        (
            "drop ipprotocol 0x100;",
            "line 1, column 17: the operand of ipprotocol is a number from 0 to 255, or one of icmp, igmp, ipip, tcp, egp, igp, udp, rdp, esp, ah, icmp6, l2tp, sctp, udplite, icmp4, icmpv4, icmpv6; not 0x100"
        ),
        ("drop vlanpcp -1;", "line 1, column 14: the operand of vlanpcp is a number from 0 to 255; not -1"),
        (
            "drop ztsrc 123;",
            "line 1, column 12: the operand of ztsrc is a node's address, ten hexadecimal digits, not 123"
        ),
        (
            "drop macsrc 1:2:3:4:5:6;",
            "line 1, column 13: the operand of macsrc is an Ethernet address such as 02:11:22:33:44:55, not 1:2:3:4:5:6"
        ),
        (
            "drop ipsrc 10.0.0.1;",
            "line 1, column 12: ipsrc needs an address and its bits, such as 10.0.0.0/8, 10.0.0.1/32 or fd00::/8; not 10.0.0.1"
        ),
        (
            "drop ipdest 10.0.0.0/33;",
            "line 1, column 13: ipdest needs an address and its bits, such as 10.0.0.0/8, 10.0.0.1/32 or fd00::/8; not 10.0.0.0/33"
        ),
        (
            "drop dport 80-;",
            "line 1, column 12: dport needs a number, or two with - between them, from 0 to 65535; not 80-"
        ),
        (
            "drop sport 1-70000;",
            "line 1, column 12: sport needs a number, or two with - between them, from 0 to 65535; not 1-70000"
        ),
        ("drop dport 90-80;", "line 1, column 12: nothing is in the range 90-80: write 80-90"),
        ("drop iptos 256 1;", "line 1, column 12: the mask of iptos is a number from 0 to 255, not 256"),
        (
            "drop iptos 0xfc 256;",
            "line 1, column 17: iptos needs a number, or two with - between them, from 0 to 255; not 256"
        ),
        ("drop icmp 8 -2;", "line 1, column 13: the code of icmp, or -1 for any, is a number from 0 to 255, not -2"),
        ("drop icmp 300 0;", "line 1, column 11: the type of icmp is a number from 0 to 255, not 300"),
        (
            "drop chr tcp_sin;",
            "line 1, column 10: chr needs names or bits from 0 to 63 with commas between; the names are inbound, multicast, broadcast, ipauth, macauth, tcp_rs0, tcp_rs1, tcp_rs2, tcp_ns, tcp_cwr, tcp_ece, tcp_urg, tcp_ack, tcp_psh, tcp_rst, tcp_syn, tcp_fin; not tcp_sin; did you mean tcp_syn?"
        ),
        (
            "drop chr 64;",
            "line 1, column 10: chr needs names or bits from 0 to 63 with commas between; the names are inbound, multicast, broadcast, ipauth, macauth, tcp_rs0, tcp_rs1, tcp_rs2, tcp_ns, tcp_cwr, tcp_ece, tcp_urg, tcp_ack, tcp_psh, tcp_rst, tcp_syn, tcp_fin; not 64"
        ),
        (
            "drop random 1.5;",
            "line 1, column 13: the operand of random is a probability from 0 to 1, such as 0.25; not 1.5"
        ),
        (
            "drop random nan;",
            "line 1, column 13: the operand of random is a probability from 0 to 1, such as 0.25; not nan"
        ),
        (
            "tee 70000 1122334455;",
            "line 1, column 5: the most bytes that tee copies, or -1 for all, is a number from 0 to 65535, not 70000"
        ),
        (
            "tee 1122334455;",
            "line 1, column 5: the most bytes that tee copies, or -1 for all, is a number from 0 to 65535, not 1122334455"
        ),
        (
            "redirect x;",
            "line 1, column 10: the observer of redirect is a node's address, ten hexadecimal digits, not x"
        ),
        ("priority 9;", "line 1, column 10: the operand of priority is a number from 0 to 8, not 9"),
        (
            "raw 2401;",
            "line 1, column 5: raw is followed by an action as it is sent: type, length and field in hexadecimal digits, without the bits for not and or; not 2401"
        ),
        (
            "drop raw a40106;",
            "line 1, column 10: raw is followed by a match as it is sent: type, length and field in hexadecimal digits, without the bits for not and or; not a40106"
        ),
        // Tags
        ("drop teq t 1;", "line 1, column 10: no tag t is defined before this"),
        (
            "tag team id 1;\ndrop teq taem 1;",
            "line 2, column 10: no tag taem is defined before this; did you mean team?"
        ),
        (
            "tag t id 1 enum 1 a;\ndrop teq t b;",
            "line 2, column 12: a value of the tag is a number up to 4294967295, or one of a; not b"
        ),
        (
            "drop teq 1 4294967296;",
            "line 1, column 12: a value of the tag is a number up to 4294967295; not 4294967296"
        ),
        (
            "tag 1t id 1;",
            "line 1, column 5: the name of a tag begins with a letter and has letters, digits, _, - and dots, 64 at most, not 1t"
        ),
        ("tag t;", "line 1, column 5: the tag t has no ID: id and a number are missing"),
        ("tag t id x;", "line 1, column 10: the ID of the tag is a number from 0 to 4294967295, not x"),
        ("tag t id 1;\ntag t id 2;", "line 2, column 5: a second tag with the name t"),
        ("tag t id 1;\ntag u id 1;", "line 2, column 10: a second tag with the ID 1"),
        ("tag t id 1 flag 32 x;", "line 1, column 17: the bit of the name is a number from 0 to 31, not 32"),
        ("tag t id 1 enum 1 a flag 2 a;", "line 1, column 28: a second value of the tag with the name a"),
        ("tag t id 1 default b;", "line 1, column 20: a value of the tag is a number up to 4294967295; not b"),
        ("tag t id 1 drop;", "line 1, column 12: a tag has id, default, enum, flag and then a semicolon, not drop"),
        ("tag t id 1", "line 1, column 10: the text ends after this; a semicolon is missing"),
        // Capabilities
        ("cap c accept;;", "line 1, column 5: the capability c has no ID: id and a number are missing"),
        ("cap c id 1 accept;;\ncap c id 2;", "line 2, column 5: a second capability with the name c"),
        ("cap c id 1 accept;;\ncap d id 1;", "line 2, column 10: a second capability with the ID 1"),
        (
            "cap c id 1\naccept;",
            "line 2, column 7: the text ends after this; a semicolon that ends the capability is missing"
        ),
        ("cap c id 1 tag t id 1;;", "line 1, column 12: tag stands outside of macros and capabilities"),
        (
            "cap c id 1 dorp;;",
            "line 1, column 12: a statement begins with one of drop, accept, tee, watch, redirect, break, priority, include, not dorp; did you mean drop?"
        ),
        // Macros
        ("include m(1);", "line 1, column 9: no macro m is defined before this"),
        (
            "macro mac() drop;;\ninclude mca();",
            "line 2, column 9: no macro mca is defined before this; did you mean mac?"
        ),
        ("macro m($x) drop ethertype $x;;\ninclude m();", "line 2, column 9: the macro m takes $x, not 0 arguments"),
        ("macro m() drop;;\ninclude m(1);", "line 2, column 9: the macro m takes no arguments, not 1 arguments"),
        ("macro m($x) drop ethertype $x;;\ninclude m(1", "line 2, column 11: the text ends after this; ) is missing"),
        ("macro m($x) drop ethertype $x;;\ninclude m(1;", "line 2, column 12: ) is missing before ;"),
        ("macro m($x,$y) drop dport $x-$y;;\ninclude m(1 2);", "line 2, column 13: a comma is missing before 2"),
        (
            "macro m($x,$y) drop dport $x-$y;;\ninclude m(1,);",
            "line 2, column 13: an argument is missing beside a comma before this"
        ),
        ("macro m() drop;;\ninclude m() drop;", "line 2, column 13: after include name(...) comes a semicolon"),
        ("macro m(x) drop;;", "line 1, column 7: a parameter of a macro is $ and a name, not x"),
        ("macro m($x,$x) drop;;", "line 1, column 7: a parameter of the macro m is there twice"),
        ("macro m() drop;;\nmacro m() drop;;", "line 2, column 7: a second macro with the name m"),
        ("macro m() drop;", "line 1, column 15: the text ends after this; a semicolon that ends the macro is missing"),
        (
            "macro m($x)\n  drop ethertype $x;\n;\naccept;\ninclude m(nonsense);",
            "line 2, column 18 (included at line 5, column 1): the operand of ethertype is a number from 0 to 65535, or one of ipv4, arp, wol, rarp, ipv6, atalk, aarp, ipx_a, ipx_b; not nonsense"
        ),
        (
            "macro m() drop dport $y;;\ninclude m();",
            "line 1, column 22 (included at line 2, column 1): dport needs a number, or two with - between them, from 0 to 65535; not $y"
        ),
        (
            "macro m() include m();;\ninclude m();",
            "line 1, column 19 (included at line 2, column 1): the macro m includes itself"
        ),
        ("macro m() cap c id 1 drop;;\n;include m();", "line 2, column 1: there is no statement before this semicolon"),
        (
            "macro m() tag t id 1;;\ninclude m();",
            "line 1, column 11 (included at line 2, column 1): tag stands outside of macros and capabilities"
        ),
        // Places count code points
        (
            "# é\ndrop #é\n é;",
            "line 3, column 2: é is no match: there are chr, dport, ethertype, framesize, icmp, ipdest, ipprotocol, ipsrc, iptos, macdest, macsrc, random, sport, tand, tdiff, teq, tor, treq, tseq, txor, vlan, vlandei, vlanpcp, ztdest, ztsrc, and, or, not"
        ),
    ]) func `an error says where, what, and what would be right`(text: String, expected: String) {
        #expect(problem(text) == expected)
    }

    @Test func `every limit holds`() throws {
        func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }
        #expect(try compile(repeated("drop;", 1024)).set.rules.count == 1024)
        #expect(problem(repeated("drop;", 1025))?.contains("a network has at most 1024 rules") == true)
        #expect(try compile("cap c id 1 \(repeated("drop;", 64));").set.capabilities[0].rules.count == 64)
        #expect(problem("cap c id 1 \(repeated("drop;", 65));")?.contains("a capability has at most 64 rules") == true)
        func definitions(_ word: String, _ count: Int) -> String {
            (0..<count).map { "\(word) n\($0) id \($0);" }.joined()
        }
        #expect(try compile(definitions("tag", 128)).set.tags.count == 128)
        #expect(problem(definitions("tag", 129))?.contains("a network has at most 128 tags") == true)
        #expect(try compile(definitions("cap", 128)).set.capabilities.count == 128)
        #expect(problem(definitions("cap", 129))?.contains("a network has at most 128 capabilities") == true)
        #expect(problem(repeated(" ", RuleTextLimits.bytes)) == nil)
        #expect(problem(repeated(" ", RuleTextLimits.bytes + 1))?.contains("bytes") == true)
        // Each macro includes the one before it twice: 2^14 inclusions of nothing.
        var doubling = "macro m0();"
        for level in 1...14 { doubling += "macro m\(level)() include m\(level - 1)(); include m\(level - 1)();;" }
        #expect(problem(doubling + "include m14();")?.contains("at most 4096 macros are included") == true)
        var deep = "macro m0();"
        for level in 1...16 { deep += "macro m\(level)() include m\(level - 1)();;" }
        #expect(problem(deep + "include m15();") == nil)
        #expect(problem(deep + "include m16();")?.contains("16 within each other") == true)
    }

    @Test func `what can hardly be meant is told`() throws {
        let compiled = try compile("drop ipsrc fd00::1/64;\naccept or ethertype arp;\ndrop ipsrc 10.0.0.1/8;")
        #expect(
            compiled.warnings.map(\.description) == [
                "line 1, column 12: fd00::1/64 has bits beyond its length, and so matches no packet; write fd00::/64",
                "line 2, column 8: or before the first match makes the action happen whatever the match says",
            ])
    }
}
