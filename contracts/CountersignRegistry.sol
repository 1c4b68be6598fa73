// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICountersignRegistry} from "./ICountersignRegistry.sol";

interface IERC1271 {
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4);
}

/// @title The registry; the words stand in the interface
contract CountersignRegistry is ICountersignRegistry {
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant RECORD =
        keccak256("Record(address recorder,bytes16 contractId,bytes32 hash,uint256 deadline)");
    bytes32 private constant WITHDRAW =
        keccak256("Withdraw(address party,address recorder,bytes16 contractId,uint8 reason,uint256 deadline)");
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    mapping(bytes32 key => bytes32 hash) private hashes;
    mapping(bytes32 key => uint64 time) private ends;
    mapping(bytes32 key => uint64 time) private withdrawals;

    function record(bytes16 contractId, bytes32 hash) external {
        _record(msg.sender, contractId, hash);
    }

    function recordPacked() external {
        uint256 length = msg.data.length - 4;
        if (length == 0 || length % 48 != 0) revert Ragged(length);
        for (uint256 i = 4; i < msg.data.length;) {
            bytes16 contractId;
            bytes32 hash;
            assembly ("memory-safe") {
                contractId := and(calldataload(i), not(0xffffffffffffffffffffffffffffffff))
                hash := calldataload(add(i, 16))
                i := add(i, 48)
            }
            _record(msg.sender, contractId, hash);
        }
    }

    function recordFor(address recorder, bytes16 contractId, bytes32 hash, uint256 deadline, bytes calldata signature)
        external
    {
        _authorise(recorder, keccak256(abi.encode(RECORD, recorder, contractId, hash, deadline)), deadline, signature);
        _record(recorder, contractId, hash);
    }

    function end(bytes16 contractId, uint8 reason) external {
        bytes32 key = _key(msg.sender, contractId);
        if (ends[key] != 0) return;
        ends[key] = uint64(block.timestamp);
        emit Ended(msg.sender, contractId, reason);
    }

    function withdraw(address recorder, bytes16 contractId, uint8 reason) external {
        _withdraw(msg.sender, recorder, contractId, reason);
    }

    function withdrawFor(
        address party,
        address recorder,
        bytes16 contractId,
        uint8 reason,
        uint256 deadline,
        bytes calldata signature
    ) external {
        bytes32 message = keccak256(abi.encode(WITHDRAW, party, recorder, contractId, reason, deadline));
        _authorise(party, message, deadline, signature);
        _withdraw(party, recorder, contractId, reason);
    }

    function status(address recorder, bytes16 contractId, address party)
        external
        view
        returns (bytes32 hash, uint64 endedAt, uint64 withdrawnAt)
    {
        bytes32 key = _key(recorder, contractId);
        return (hashes[key], ends[key], withdrawals[_under(party, key)]);
    }

    function _record(address recorder, bytes16 contractId, bytes32 hash) private {
        if (hash == 0) revert ZeroHash(contractId);
        bytes32 key = _key(recorder, contractId);
        bytes32 recorded = hashes[key];
        if (recorded == hash) return;
        if (recorded != 0) revert Conflict(contractId, recorded);
        hashes[key] = hash;
        emit Recorded(recorder, contractId, hash);
    }

    function _withdraw(address party, address recorder, bytes16 contractId, uint8 reason) private {
        bytes32 key = _under(party, _key(recorder, contractId));
        if (withdrawals[key] != 0) return;
        withdrawals[key] = uint64(block.timestamp);
        emit Withdrawn(party, recorder, contractId, reason);
    }

    function _key(address recorder, bytes16 contractId) private pure returns (bytes32) {
        if (contractId == 0) revert NilId();
        return _under(recorder, contractId);
    }

    /// @dev keccak256(abi.encode(account, scope)) in scratch space.
    function _under(address account, bytes32 scope) private pure returns (bytes32 key) {
        assembly ("memory-safe") {
            mstore(0x00, account)
            mstore(0x20, scope)
            key := keccak256(0x00, 0x40)
        }
    }

    /// @dev The domain is computed anew each time, so that the code is the same, and has one hash, wherever it stands.
    function _authorise(address account, bytes32 message, uint256 deadline, bytes calldata signature) private view {
        if (block.timestamp > deadline) revert Expired(deadline);
        bytes32 domain = keccak256(
            abi.encode(DOMAIN, keccak256("Countersign Registry"), keccak256("1"), block.chainid, address(this))
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", domain, message));
        if (account.code.length != 0) {
            if (IERC1271(account).isValidSignature(digest, signature) != IERC1271.isValidSignature.selector) {
                revert BadSignature(account);
            }
            return;
        }
        if (signature.length != 65) revert BadSignature(account);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > HALF_ORDER) revert BadSignature(account);
        address signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), s);
        if (signer == address(0) || signer != account) revert BadSignature(account);
    }
}
