import CryptoKit
import Foundation
import Security
import VerifaceUniffi

/// Templates in the app's support folder, each sealed by AES-256-GCM with a key from the Keychain that stays on this device. A file is bound
/// to its name: renamed, it does not open.
public struct SealedTemplates {
    private let folder: URL
    private let account: String

    public init(account: String = "io.github.veriface.templates") throws {
        let support = try FileManager.default.url(for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        var folder = support.appendingPathComponent("veriface", isDirectory: true)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // Not in backups: on another device its key would be missing.
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try folder.setResourceValues(values)
        self.folder = folder
        self.account = account
    }

    /// Keeps a template under a name, replacing an older one in one step.
    public func save(_ template: Template, as name: String) throws {
        let sealed = try AES.GCM.seal(template.toBytes(), using: key(), authenticating: Data(name.utf8))
        guard let bytes = sealed.combined else { throw CocoaError(.fileWriteUnknown) }
        #if os(iOS)
        try bytes.write(to: file(name), options: [.atomic, .completeFileProtection])
        #else
        try bytes.write(to: file(name), options: .atomic)
        #endif
    }

    /// The template of this name; nil when there is none. Fails when it was altered.
    public func load(_ name: String) throws -> Template? {
        let file = try file(name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        let box = try AES.GCM.SealedBox(combined: Data(contentsOf: file))
        return try Template.fromBytes(bytes: AES.GCM.open(box, using: key(), authenticating: Data(name.utf8)))
    }

    /// Removes the template of this name.
    public func delete(_ name: String) throws {
        try FileManager.default.removeItem(at: file(name))
    }

    private func file(_ name: String) throws -> URL {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_"))
        guard !name.isEmpty, name.unicodeScalars.allSatisfy(allowed.contains) else { throw CocoaError(.fileWriteInvalidFileName) }
        return folder.appendingPathComponent(name + ".vfsealed")
    }

    private func key() throws -> SymmetricKey {
        let query: [CFString: Any] = [kSecClass: kSecClassGenericPassword, kSecAttrAccount: account, kSecAttrService: "veriface"]
        var found: CFTypeRef?
        if SecItemCopyMatching(query.merging([kSecReturnData: true]) { $1 } as CFDictionary, &found) == errSecSuccess,
           let data = found as? Data {
            return SymmetricKey(data: data)
        }
        let key = SymmetricKey(size: .bits256)
        let item = query.merging([
            kSecValueData: key.withUnsafeBytes { Data($0) },
            kSecAttrAccessible: kSecAttrAccessibleWhenUnlockedThisDeviceOnly,
        ]) { $1 }
        let status = SecItemAdd(item as CFDictionary, nil)
        guard status == errSecSuccess else { throw NSError(domain: NSOSStatusErrorDomain, code: Int(status)) }
        return key
    }
}
