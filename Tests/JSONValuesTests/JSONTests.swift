// Reading and writing JSON, and where errors stand.

import Testing

@testable import JSONValues

private func parse(_ text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONValue {
    try JSONDocument(Array(text.utf8), limits: limits).root
}

private func problem(_ text: String) -> String? {
    do throws(JSONError) {
        _ = try parse(text)
        return nil
    } catch {
        return error.description
    }
}

@Suite struct JSONTests {
    @Test func `values are read as they stand`() throws {
        let text = #" {"a" : [1, -2.5e1, true, null, "x\n\u00e9\ud83d\ude00"], "b":{}, "c":[]} "#
        let value = JSONValue.object([
            ("a", .array([.integer(1), .number(-25), .bool(true), .null, .string("x\né😀")])), ("b", .object([])),
            ("c", .array([])),
        ])
        #expect(try parse(text) == value)
        #expect(try parse("\u{feff}1") == .integer(1))
        #expect(try parse(value.text) == value)
        #expect(try parse(value.indentedText) == value)
        #expect(value.text == #"{"a":[1,-25.0,true,null,"x\né😀"],"b":{},"c":[]}"#)
    }

    @Test func `integers of 64 bits are exact`() throws {
        for text in ["0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808"] {
            #expect(try parse(text) == .integer(try #require(Int64(text))))
            #expect(try parse(text).text == text)
        }
        #expect(try parse("9223372036854775808") == .unsigned(1 << 63))
        #expect(try parse("18446744073709551615") == JSONValue(UInt64.max))
        #expect(try parse("18446744073709551615").text == "18446744073709551615")
        #expect(try parse("18446744073709551616") == .number(18_446_744_073_709_551_616))
        #expect(JSONValue(UInt64(5)) == .integer(5))
        #expect(try parse("-0") == .number(-0.0))
        #expect(try parse("1.5e300").text == "1.5e+300")
    }

    @Test func `strings are written so that every reader understands them`() throws {
        let text = String(String.UnicodeScalarView((0..<0x80).compactMap { Unicode.Scalar($0) })) + "é😀\u{2028}"
        let written = JSONValue.string(text).text
        #expect(written.utf8.allSatisfy { $0 >= 0x20 })
        #expect(try parse(written) == .string(text))
    }

    @Test(arguments: [
        ("", "line 1, column 1: the text ends where a value should stand"),
        (
            "{\"a\":1,\n \"b\":x}",
            "line 2, column 6: b: a value begins with {, [, \", a digit, - or a letter of true, false, null"
        ),
        ("{\"é\":1 \"b\":2}", "line 1, column 8: missing is a comma before the next member, or }"),
        ("[1,\n2\n,3", "line 3, column 3: the text ends; missing is a comma before the next element, or ]"),
        ("{\"a\":{\"b\":1,\"b\":2}}", "line 1, column 13: a: the key \"b\" comes a second time"),
        ("{a:1}", "line 1, column 2: a member begins with its key in quotation marks"),
        ("{\"a\" 1}", "line 1, column 6: missing is a colon after the key"),
        ("[01]", "line 1, column 2: [0]: a number of several digits does not begin with 0"),
        ("[1.]", "line 1, column 4: [0]: a digit is missing"),
        ("[-]", "line 1, column 3: [0]: a digit is missing"),
        ("1e999", "line 1, column 1: the number is too large"),
        ("[1,]", "line 1, column 4: [1]: a value begins with {, [, \", a digit, - or a letter of true, false, null"),
        ("{\"a\":1,}", "line 1, column 8: a member begins with its key in quotation marks"),
        ("\"a", "line 1, column 3: the text ends within a string"),
        ("\"a\nb\"", "line 1, column 3: a control character in a string is written as \\n, \\t or \\u00xx"),
        ("\"\\x\"", "line 1, column 3: after \\ comes one of \" \\ / b f n r t u"),
        ("\"\\u12g4\"", "line 1, column 6: \\u is followed by four hexadecimal digits"),
        ("\"\\u123", "line 1, column 7: \\u is followed by four hexadecimal digits"),
        ("\"\\ud800\"", "line 1, column 8: half of a surrogate pair without the other"),
        ("\"\\ud800\\u0041\"", "line 1, column 14: half of a surrogate pair without the other"),
        ("\"\\udc00\"", "line 1, column 8: half of a surrogate pair without the other"),
        ("tru", "line 1, column 1: true, false or null"),
        ("1 2", "line 1, column 3: the value ends before; nothing may follow it"),
    ]) func `an error says where and what`(text: String, expected: String) {
        #expect(problem(text) == expected)
    }

    @Test func `what is no JSON is told from JSON that is not read`() {
        for (text, isNoJSON) in [
            ("{", true), ("{\"a\":1}x", true), ("\"\u{1}\"", true), ("{\"a\":1,\"a\":2}", false), ("1e999", false),
            (String(repeating: "[", count: 65) + String(repeating: "]", count: 65), false),
        ] {
            let error = #expect(throws: JSONError.self) { try parse(text) }
            #expect(error?.isNoJSON == isNoJSON, "\(text)")
        }
    }

    @Test func `what is no UTF-8 is refused`() {
        for bytes: [UInt8] in [[0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]] {
            #expect(throws: JSONError.self) { try JSONDocument(bytes) }
        }
    }

    @Test func `size and depth have limits`() throws {
        var limits = JSONLimits()
        let deep = String(repeating: "[", count: limits.depth) + String(repeating: "]", count: limits.depth)
        #expect(throws: Never.self) { try parse(deep) }
        let error = #expect(throws: JSONError.self) { try parse("[" + deep + "]") }
        #expect(error?.position == JSONError.Position(line: 1, column: limits.depth + 1))
        #expect(throws: JSONError.self) { try parse(String(repeating: "{\"a\":", count: 1_000_000)) }
        limits.bytes = 3
        #expect(try parse("123", limits: limits) == .integer(123))
        #expect(throws: JSONError.self) { try parse("1234", limits: limits) }
    }

    @Test func `fields throw what would be right, with the place`() throws {
        let text =
            "{\"rules\": [\n  {\"ip\": 5},\n  {\"mask\": \"x\", \"on\": 1, \"big\": 18446744073709551615, \"small\": 1.5}\n]}"
        let document = try JSONDocument(Array(text.utf8))
        func error(_ body: (JSONField) throws(JSONError) -> Void) -> String? {
            do throws(JSONError) {
                try document.read(body)
                return nil
            } catch {
                return error.description
            }
        }
        func rule(_ root: JSONField, _ index: Int) throws(JSONError) -> JSONField {
            try root.required("rules").elements()[index]
        }
        #expect(
            error { (root) throws(JSONError) in _ = try rule(root, 0).required("ip").string() }
                == "line 2, column 10: rules[0].ip: a string is expected, not 5")
        #expect(
            error { (root) throws(JSONError) in _ = try rule(root, 1).required("on").bool() }
                == "line 3, column 23: rules[1].on: true or false is expected, not 1")
        #expect(
            error { (root) throws(JSONError) in _ = try rule(root, 1).required("big").integer(in: 0...Int32.max) }
                == "line 3, column 33: rules[1].big: an integer from 0 to 2147483647 is expected, not 18446744073709551615"
        )
        #expect(
            error { (root) throws(JSONError) in _ = try rule(root, 1).required("small").integer(UInt8.self) }
                == "line 3, column 64: rules[1].small: an integer from 0 to 255 is expected, not 1.5")
        #expect(
            error { (root) throws(JSONError) in _ = try rule(root, 1).required("type") }
                == "line 3, column 3: rules[1]: the member \"type\" is missing")
        #expect(
            error { (root) throws(JSONError) in _ = try root.required("rules").members() }
                == "line 1, column 11: rules: an object is expected, not an array")
        #expect(
            error { (root) throws(JSONError) in _ = try root.required("rules").elements(atMost: 1) }
                == "line 1, column 11: rules: at most 1 elements, not 2")
        try document.read { (root) throws(JSONError) in
            #expect(try rule(root, 1).required("big").integer(UInt64.self) == UInt64.max)
            #expect(try rule(root, 1).members().map(\.key) == ["mask", "on", "big", "small"])
            #expect(root.member("none") == nil ? true : false)
        }
    }

    @Test func `records are ordered as the original orders them`() {
        let value = JSONValue.object([("b", .integer(1)), ("A", .array([.object([("z", .null), ("a", .null)])]))])
        #expect(value.sortedByKey.text == #"{"A":[{"a":null,"z":null}],"b":1}"#)
    }
}
