//  JSON: what is read is written and read again as the same; an error stands within the text.

import JSONValues

/// Any text.
package func fuzzJSON(_ bytes: [UInt8]) {
    let document: JSONDocument
    do throws(JSONError) {
        document = try JSONDocument(bytes)
    } catch {
        guard let position = error.position else { preconditionFailure("an error without a place") }
        precondition(position.line >= 1 && position.line <= bytes.count + 1, "an error outside of the text")
        precondition(position.column >= 1 && position.column <= bytes.count + 1, "an error outside of the line")
        return
    }
    for text in [document.root.text, document.root.indentedText, document.root.sortedByKey.text] {
        guard let again = try? JSONDocument(Array(text.utf8)) else {
            preconditionFailure("what was written cannot be read")
        }
        precondition(again.root.sortedByKey == document.root.sortedByKey, "read again as something else")
    }
    visit(JSONField(document.root), in: document)
}

// Each part is found where it stands.
private func visit(_ field: JSONField, in document: JSONDocument) {
    do throws(JSONError) {
        try document.read { (_) throws(JSONError) in throw field.error("") }
    } catch {
        precondition(error.position != nil, "a part of the text without a place")
    }
    precondition(!field.isNull || (try? field.string()) == nil, "null taken for a string")
    if let members = try? field.members() {
        for member in members.prefix(4) { visit(member.field, in: document) }
    } else if let elements = try? field.elements() {
        for element in elements.prefix(4) { visit(element, in: document) }
    }
}
