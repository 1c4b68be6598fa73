// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Where contracts come into force
/// @notice A recorder writes the hash of a countersigned contract under its own account and the contract's id, once.
/// Nobody owns this registry: no administrator, no proxy, no pause. What it holds cannot be taken back, only ended.
/// @dev A contract's id is its UUID as 16 bytes in network order (RFC 9562). Times are block times in seconds.
/// Reasons: 0 unspecified, 1 completed, 2 by agreement, 3 breach, 4 key compromised, 5 void; others are private.
interface ICountersignRegistry {
    /// @notice The hash of a contract was recorded; emitted once per (recorder, contractId).
    event Recorded(address indexed recorder, bytes16 indexed contractId, bytes32 hash);

    /// @notice The recorder ended a contract, or promised never to record it; emitted once per (recorder, contractId).
    event Ended(address indexed recorder, bytes16 indexed contractId, uint8 reason);

    /// @notice `party` withdrew; emitted once per (party, recorder, contractId). It counts only for the account that
    /// the contract's acceptance names, so a stranger's withdrawal means nothing.
    event Withdrawn(address indexed party, address indexed recorder, bytes16 indexed contractId, uint8 reason);

    /// @notice Another hash stands under this recorder and id already.
    error Conflict(bytes16 contractId, bytes32 recorded);
    /// @notice A contract has an id that is not nil.
    error NilId();
    /// @notice A contract has a hash that is not zero.
    error ZeroHash(bytes16 contractId);
    /// @notice Packed data is one or more whole pairs of 48 bytes.
    error Ragged(uint256 length);
    /// @notice The signature was valid until `deadline` only.
    error Expired(uint256 deadline);
    /// @notice Not a signature of this account over this call, on this chain, for this registry.
    error BadSignature(address account);

    /// @notice Records `hash` under the caller. The same hash again changes nothing and succeeds; another reverts.
    function record(bytes16 contractId, bytes32 hash) external;

    /// @notice Records many at once, all or none. The calldata after the selector is N × (contractId ‖ hash), 48 bytes
    /// each, without padding: calldata is what costs on a rollup.
    function recordPacked() external;

    /// @notice Records under `recorder`, who signed
    /// `Record(address recorder,bytes16 contractId,bytes32 hash,uint256 deadline)` (EIP-712, domain
    /// `Countersign Registry`, version `1`); anybody may pay. Contract accounts answer by ERC-1271.
    function recordFor(address recorder, bytes16 contractId, bytes32 hash, uint256 deadline, bytes calldata signature)
        external;

    /// @notice Ends a contract of the caller, recorded or not. The first end stands, with its reason; another changes
    /// nothing and succeeds.
    function end(bytes16 contractId, uint8 reason) external;

    /// @notice Withdraws the caller from a contract of `recorder`. The first withdrawal stands, with its reason;
    /// another changes nothing and succeeds.
    function withdraw(address recorder, bytes16 contractId, uint8 reason) external;

    /// @notice Withdraws `party`, who signed
    /// `Withdraw(address party,address recorder,bytes16 contractId,uint8 reason,uint256 deadline)` as for `recordFor`.
    function withdrawFor(
        address party,
        address recorder,
        bytes16 contractId,
        uint8 reason,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice What stands about one contract: the recorded hash, when the recorder ended it and when `party` withdrew;
    /// zero where nothing does.
    function status(address recorder, bytes16 contractId, address party)
        external
        view
        returns (bytes32 hash, uint64 endedAt, uint64 withdrawnAt);
}
